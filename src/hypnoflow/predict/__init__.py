"""Stage `predict`: age, sex and apnea from features at each resolution, compared person by person with 30 s."""
