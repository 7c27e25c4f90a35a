"""Plans as pages for people: figures, charts, drawings. Nothing here decides anything."""
