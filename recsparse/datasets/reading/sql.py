"""Names and texts as DuckDB's SQL spells them."""


def sql_name(name: str) -> str:
    """Return a column's or table's name in double quotes.

    Args:
        name: Any name.

    Returns:
        Text for a query.

    Example:
        >>> sql_name('the "best" one')
        '"the ""best"" one"'
    """
    return '"' + name.replace('"', '""') + '"'


def sql_text(text: str) -> str:
    """Return a text in single quotes.

    Args:
        text: Any text, such as a path.

    Returns:
        Text for a query.

    Example:
        >>> print(sql_text("it's"))
        'it''s'
    """
    return "'" + text.replace("'", "''") + "'"
