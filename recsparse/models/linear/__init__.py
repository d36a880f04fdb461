"""Models with closed forms: counts, neighbours, ridge regressions and factors."""
