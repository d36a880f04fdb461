"""Ways to order users and items, behind `ordering`."""
