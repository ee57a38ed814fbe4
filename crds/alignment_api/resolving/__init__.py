"""From a document to a resolved job: recipes, record, validation."""
