"""Where rows come from. Each file is one kind of source; a dataset's YAML names a class of them."""
