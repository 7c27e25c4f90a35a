"""Ready pipelines, each a module with one face (see ``catalog``), and the files that they are made of."""
