"""EdfFile against files that edfio wrote, against edfio and MNE reading them, and against damaged headers."""

from __future__ import annotations

import datetime as dt

import mne
import numpy as np
import pytest
from edfio import Edf, EdfAnnotation, EdfSignal, Recording, read_edf
from hypothesis import given, settings
from hypothesis import strategies as st

from hypnoflow.errors import RecordingError
from hypnoflow.native.edf import EdfFile

START = dt.datetime(1989, 4, 24, 23, 5, 7)
TO_UV = {"uV": 1.0, "mV": 1e3, "V": 1e6}
RECORD_COUNT = slice(236, 244)


def signal(label, rate_hz=100, unit="uV", span=200.0, seconds=10, seed=0):
    """Return a noise signal that fills most of its physical range."""
    x = np.random.default_rng(seed).uniform(-0.9 * span, 0.9 * span, int(seconds * rate_hz))
    return EdfSignal(x, rate_hz, label=label, physical_dimension=unit, physical_range=(-span, span))


def write(path, signals, record_s=1.0, annotations=None):
    start = {"starttime": START.time(), "recording": Recording(startdate=START.date())}
    Edf(signals, data_record_duration=record_s if signals else None, annotations=annotations, **start).write(path)
    return path


def patch(path, at, new):
    """Overwrite header bytes; `at` is a slice or a first byte."""
    raw = bytearray(path.read_bytes())
    where = at if isinstance(at, slice) else slice(at, at + len(new))
    raw[where] = new.ljust(where.stop - where.start)
    path.write_bytes(raw)
    return path


def field_at(n_signals, i, name):
    """Return the first byte of signal `i`'s header field, by the table of the EDF specification."""
    widths = {"label": 16, "transducer": 80, "unit": 8, "physical_min": 8, "physical_max": 8, "digital_min": 8}
    widths |= {"digital_max": 8, "prefilter": 80, "samples": 8, "reserved": 32}
    at = 256
    for field, width in widths.items():
        if field == name:
            return at + i * width
        at += n_signals * width
    raise KeyError(name)


@pytest.fixture
def mixed(tmp_path):
    """Four rates in one file, 2-s records."""
    signals = [signal("EEG C3-M2", 256), signal("EOG", 50, seed=1), signal("SaO2", 1, "%", 100, seed=2)]
    return write(tmp_path / "mixed.edf", [*signals, signal("Flow", 12.5, "", 1, seed=3)], record_s=2)


def test_each_signal_of_a_mixed_file_keeps_its_own_rate_and_samples(mixed):
    file, expected = EdfFile(mixed), read_edf(mixed)
    assert list(file.labels) == ["EEG C3-M2", "EOG", "SaO2", "Flow"]
    assert [file.rate_hz(label) for label in file.labels] == [256, 50, 1, 12.5]
    for s in expected.signals:
        np.testing.assert_allclose(file.read(s.label), s.data, atol=1e-6 * s.physical_range[1])
    assert file.duration_s == 10
    assert file.warnings == []


def test_what_is_read_is_what_was_written_within_half_a_quantum(tmp_path):
    s = signal("EEG", span=150.0)
    x = np.random.default_rng(5).uniform(-149, 149, 1000)
    s.update_data(x)
    read = EdfFile(write(tmp_path / "a.edf", [s])).read("EEG")
    assert np.abs(read - x).max() <= 0.5 * 300 / 65535 + 1e-4


@pytest.mark.parametrize("unit", ["uV", "mV", "V"])
def test_potentials_come_out_in_microvolts(tmp_path, unit):
    span = 200 / TO_UV[unit]
    path = write(tmp_path / "a.edf", [signal("EEG", unit=unit, span=span)])
    file = EdfFile(path)
    expected = read_edf(path).get_signal("EEG").data * TO_UV[unit]
    assert file.unit("EEG") == "uV"
    np.testing.assert_allclose(file.read("EEG"), expected, atol=1e-3)


@pytest.mark.parametrize("unit", ["", "%", "DegC"])
def test_other_units_are_left_as_the_header_has_them(tmp_path, unit):
    path = write(tmp_path / "a.edf", [signal("x", unit=unit, span=50)])
    assert EdfFile(path).unit("x") == unit
    np.testing.assert_allclose(EdfFile(path).read("x"), read_edf(path).get_signal("x").data, atol=1e-4)


def test_latin_1_bytes_in_the_header_are_read(tmp_path):
    path = write(tmp_path / "a.edf", [signal("EEG")])
    plain = EdfFile(path).read("EEG")
    patch(path, 8, "Jos\u00e9".encode("latin-1"))
    patch(path, field_at(1, 0, "unit"), "\u00b5V".encode("latin-1").ljust(8))
    file = EdfFile(path)
    assert file.unit("EEG") == "uV"
    np.testing.assert_array_equal(file.read("EEG"), plain)


def test_physical_minimum_equal_to_maximum_gives_digital_values_and_a_warning(tmp_path):
    path = write(tmp_path / "a.edf", [signal("EEG"), signal("Dead", seed=1)])
    expected = read_edf(path).get_signal("Dead").digital
    for name in ("physical_min", "physical_max"):
        patch(path, field_at(2, 1, name), b"0".ljust(8))
    file = EdfFile(path)
    np.testing.assert_array_equal(file.read("Dead"), expected)
    assert [w for w in file.warnings if "Dead" in w and "minimum equals maximum" in w]


def test_the_first_of_equal_labels_keeps_the_label_and_the_second_gets_a_suffix(tmp_path):
    signals = [signal("EEG", seed=1), signal("EEG", seed=2), signal("EEG", seed=3)]
    path = write(tmp_path / "a.edf", signals)
    file = EdfFile(path)
    assert list(file.labels) == ["EEG", "EEG#2", "EEG#3"]
    for label, s in zip(file.labels, signals, strict=True):
        np.testing.assert_allclose(file.read(label), s.data, atol=1e-4)
    assert sum("more than once" in w for w in file.warnings) == 2


@pytest.mark.parametrize("said", [b"-1", b"999"])
def test_a_record_count_that_is_unknown_or_too_large_is_replaced_by_the_records_held(tmp_path, said):
    path = write(tmp_path / "a.edf", [signal("EEG")])
    expected = read_edf(path).get_signal("EEG").data
    file = EdfFile(patch(path, RECORD_COUNT, said))
    assert file.duration_s == 10
    np.testing.assert_allclose(file.read("EEG"), expected, atol=1e-4)
    assert any(said.decode() in w and "10" in w for w in file.warnings)


def test_a_torn_last_record_is_left_out_with_a_warning(tmp_path):
    path = write(tmp_path / "a.edf", [signal("EEG")])
    expected = read_edf(path).get_signal("EEG").data[:900]
    path.write_bytes(path.read_bytes()[:-31])
    file = EdfFile(path)
    assert file.duration_s == 9
    np.testing.assert_allclose(file.read("EEG"), expected, atol=1e-4)
    assert any("torn" in w and "169 bytes" in w for w in file.warnings)  # 200 bytes a record less 31


@pytest.mark.parametrize(
    ("keep", "said"),
    [(100, "EDF"), (256, "cut off"), (300, "cut off"), (512, "no whole data record"), (600, "no whole data record")],
)
def test_a_file_cut_off_before_its_first_record_is_refused(tmp_path, keep, said):
    path = write(tmp_path / "a.edf", [signal("EEG")])
    path.write_bytes(path.read_bytes()[:keep])
    with pytest.raises(RecordingError, match=said) as caught:
        EdfFile(path)
    assert caught.value.path == path


@pytest.mark.parametrize("content", [b"", b"PK\x03\x04 not an EDF", b"<xml>" * 200])
def test_what_is_not_edf_is_refused_by_name(tmp_path, content):
    path = tmp_path / "a.edf"
    path.write_bytes(content)
    with pytest.raises(RecordingError, match="a.edf"):
        EdfFile(path)


def test_a_missing_file_is_refused(tmp_path):
    with pytest.raises(RecordingError, match="gone.edf"):
        EdfFile(tmp_path / "gone.edf")


@pytest.mark.parametrize("name", ["physical_min", "digital_max", "samples"])
def test_a_header_number_that_is_no_number_is_refused(tmp_path, name):
    path = write(tmp_path / "a.edf", [signal("EEG")])
    with pytest.raises(RecordingError, match="damaged"):
        EdfFile(patch(path, field_at(1, 0, name), b"abc".ljust(8)))


def test_a_header_without_samples_is_refused(tmp_path):
    path = write(tmp_path / "a.edf", [signal("EEG")])
    with pytest.raises(RecordingError):
        EdfFile(patch(path, field_at(1, 0, "samples"), b"0".ljust(8)))


def test_signals_in_records_of_zero_seconds_are_refused(tmp_path):
    path = write(tmp_path / "a.edf", [signal("EEG")])
    patch(path, slice(244, 252), b"0")
    with pytest.raises(RecordingError):
        EdfFile(path).rate_hz("EEG")


def test_the_start_is_the_headers_date_and_time(mixed):
    assert EdfFile(mixed).start == START == read_edf(mixed).startdatetime


@pytest.mark.parametrize(("date", "year"), [(b"01.01.85", 1985), (b"31.12.99", 1999), (b"01.01.84", 2084)])
def test_two_digit_years_are_clipped_at_1985(mixed, date, year):
    assert EdfFile(patch(mixed, 168, date)).start.year == year


@pytest.mark.parametrize("recording", [b"X X", b"Startdate X X X X", b"Startdate 31-FEB-2002 X X X"])
def test_an_impossible_date_is_no_start(mixed, recording):
    patch(mixed, slice(88, 168), recording)
    assert EdfFile(patch(mixed, 168, b"00.00.00")).start is None


@pytest.mark.parametrize("date", [b"02.03.yy", b"00.00.00", b"02.03.02"])
def test_the_full_year_of_the_recording_field_stands_in_for_a_header_without_one(mixed, date):
    patch(mixed, slice(88, 168), b"Startdate 02-MAR-2102 X X X")
    assert EdfFile(patch(mixed, 168, date)).start == dt.datetime(2102, 3, 2, 23, 5, 7)


def test_a_recording_field_of_another_day_than_the_header_is_told_and_not_taken(mixed):
    patch(mixed, slice(88, 168), b"Startdate 02-MAR-2002 X X X")
    file = EdfFile(patch(mixed, 168, b"01.01.85"))  # the NSRR's placeholder
    assert file.start == dt.datetime(1985, 1, 1, 23, 5, 7)
    assert any("2002-03-02" in w for w in file.warnings)


def test_the_start_keeps_its_fraction_of_a_second(tmp_path):
    edf = Edf([signal("EEG")], starttime=dt.time(22, 0, 0, 250_000), annotations=[])
    edf.write(tmp_path / "a.edf")
    assert EdfFile(tmp_path / "a.edf").start.time() == dt.time(22, 0, 0, 250_000)


@pytest.mark.parametrize("clock", [b"25.00.00", b"12.60.00", b"noon"])
def test_an_impossible_clock_time_is_no_start(mixed, clock):
    assert EdfFile(patch(mixed, slice(176, 184), clock)).start is None


ANNOTATIONS = [
    EdfAnnotation(0, 30, "Sleep stage W"),
    EdfAnnotation(1.25, 3.5, "\u00c9veil \u2013 \u773c"),
    EdfAnnotation(4, None, "lights off"),
    EdfAnnotation(9.999, 0.001, "end"),
]


def test_annotations_keep_onset_duration_and_unicode_text(tmp_path):
    path = write(tmp_path / "a.edf", [signal("EEG")], annotations=ANNOTATIONS)
    file = EdfFile(path)
    found = [(a.onset_s, a.duration_s, a.label) for a in file.annotations()]
    assert found == [(a.onset, a.duration or 0, a.text) for a in ANNOTATIONS]
    assert list(file.labels) == ["EEG"]
    np.testing.assert_allclose(file.read("EEG"), read_edf(path).get_signal("EEG").data, atol=1e-4)


def test_annotation_onsets_count_from_the_first_sample_when_the_start_has_a_fraction(tmp_path):
    edf = Edf([signal("EEG")], starttime=dt.time(22, 0, 0, 250_000), annotations=[EdfAnnotation(2, 1, "x")])
    edf.write(tmp_path / "a.edf")
    assert read_edf(tmp_path / "a.edf").annotations[0].onset == 2
    assert [a.onset_s for a in EdfFile(tmp_path / "a.edf").annotations()] == [2]


def test_an_unreadable_annotation_is_refused(tmp_path):
    path = write(tmp_path / "a.edf", [], annotations=[EdfAnnotation(0, 30, "W")])
    path.write_bytes(path.read_bytes().replace(b"+0\x1530", b"+x\x1530"))
    with pytest.raises(RecordingError, match="annotation"):
        EdfFile(path).annotations()


TEXTS = st.text(st.characters(exclude_categories=("Cc", "Cs")), min_size=1, max_size=20).filter(str.strip)
SPANS = st.tuples(st.integers(0, 9000), st.integers(1, 90_000), TEXTS)


@settings(max_examples=40, deadline=None)
@given(
    spans=st.lists(SPANS, min_size=1, max_size=8),
    rates=st.lists(st.sampled_from([1, 10, 100, 128, 256]), min_size=1, max_size=3),
    seed=st.integers(0, 2**16),
)
def test_any_signals_and_annotations_round_trip_through_edfio(tmp_path_factory, spans, rates, seed):
    path = tmp_path_factory.mktemp("edf") / "a.edf"
    signals = [signal(f"s{i}", rate, seed=seed + i) for i, rate in enumerate(rates)]
    annotations = [EdfAnnotation(onset / 1000, duration / 1000, text) for onset, duration, text in spans]
    file = EdfFile(write(path, signals, annotations=annotations))
    found = sorted((a.onset_s, a.duration_s, a.label) for a in file.annotations())
    assert found == sorted((a.onset, a.duration, a.text) for a in annotations)
    for s in signals:
        np.testing.assert_allclose(file.read(s.label), s.data, atol=0.5 * 400 / 65535 + 1e-4)


def test_the_real_sleep_edf_signals_equal_those_of_edfio(real_data):
    path = real_data / "sedf_short_psg.edf"
    file, expected = EdfFile(path), read_edf(path)
    assert len(file.labels) == 7
    assert [file.rate_hz(label) for label in file.labels] == [100, 100, 100, 1, 1, 1, 1]
    assert [file.unit(label) for label in file.labels] == ["uV", "uV", "uV", "", "uV", "DegC", ""]
    assert (file.record_s, file.n_records, file.duration_s) == (30, 10, 300)
    for s in expected.signals:
        np.testing.assert_allclose(file.read(s.label), s.data, rtol=1e-6, atol=1e-3)


def test_the_real_sleep_edf_eeg_equals_that_of_mne(real_data):
    path = real_data / "sedf_short_psg.edf"
    raw = mne.io.read_raw_edf(path, include=["EEG Fpz-Cz", "EEG Pz-Oz"], verbose="error")
    for i, label in enumerate(raw.ch_names):
        np.testing.assert_allclose(EdfFile(path).read(label), raw.get_data()[i] * 1e6, atol=1e-3)


def test_the_real_hypnogram_has_its_known_annotations(real_data):
    runs = EdfFile(real_data / "SC4001EC-Hypnogram.edf").annotations()
    assert len(runs) == 154
    assert (runs[0].onset_s, runs[0].duration_s, runs[0].label) == (0, 30630, "Sleep stage W")
    assert (runs[-1].onset_s, runs[-1].duration_s, runs[-1].label) == (79500, 6900, "Sleep stage ?")
