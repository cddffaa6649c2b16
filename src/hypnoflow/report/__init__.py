"""Stage `report`: figures, tables and one HTML page."""
