"""What every section of the configuration is made of, and how it is checked."""

from __future__ import annotations

from typing import Any, get_args

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from hypnoflow.errors import ConfigError, did_you_mean

Range = tuple[float, float]


class Section(BaseModel):
    """A block of options: frozen, and an unknown key is an error."""

    model_config = ConfigDict(extra="forbid", frozen=True, validate_default=True)


def option(default: Any, text: str, unit: str = "", **limits: Any) -> Any:
    """Return a field with its one sentence and its unit; `limits` as for `pydantic.Field`."""
    return Field(default, description=text, json_schema_extra={"unit": unit}, **limits)


def rising(limits: Range) -> Range:
    """Return the limits of a range; raises ValueError unless they are positive and rise."""
    if not 0 <= limits[0] < limits[1]:
        raise ValueError(f"limits must be positive and rising, found {limits[0]:g} and {limits[1]:g}")
    return limits


def parse_section(model: type[Any], data: object, source: str) -> Any:
    """Check the options of one section; raises ConfigError as `hypnoflow.config.schema.load_config` does."""
    try:
        return model.model_validate(data)
    except ValidationError as error:
        lines = [_explain(problem, model) for problem in error.errors()]
        raise ConfigError(f"{source} is not a valid configuration:\n  " + "\n  ".join(lines)) from None


def _explain(problem: Any, model: type[BaseModel]) -> str:
    """Return one line: where, what was found, what would be right."""
    where = ".".join(str(part) for part in problem["loc"])
    owner, field = _owner(model, problem["loc"])
    if problem["type"] == "extra_forbidden":
        known = list(owner.model_fields) if owner else []
        return f"{where}: unknown key{did_you_mean(str(problem['loc'][-1]), known)} (known: {', '.join(known)})"
    unit = ((field.json_schema_extra or {}).get("unit") if field else "") or ""
    expected = f" in {unit}" if unit not in ("", "1") else ""
    found = "" if isinstance(problem["input"], dict) else f", found {problem['input']!r}"
    said = problem["msg"].removeprefix("Value error, ")
    return f"{where}: {said}{expected and f' (a number{expected})'}{found}"


def _owner(model: type[BaseModel], loc: tuple[Any, ...]) -> tuple[type[BaseModel] | None, Any]:
    """Follow an error's location to the section and the field that it is about."""
    current: type[BaseModel] | None = model
    field = None
    for part in loc:
        if current is None or part not in current.model_fields:
            entry = entry_of(field)
            if entry is None:
                break
            current, field = entry, None
            continue
        field = current.model_fields[part]
        annotation = field.annotation
        if isinstance(annotation, type) and issubclass(annotation, BaseModel):
            current = annotation
    return current, field


def entry_of(field: Any) -> type[BaseModel] | None:
    """Return the section that each entry of a field is, where it holds named ones."""
    of = get_args(field.annotation) if field is not None else ()
    return of[1] if len(of) == 2 and isinstance(of[1], type) and issubclass(of[1], BaseModel) else None
