-- Changes when another connection, a person's, has written; its own commits leave it as it is.
pragma data_version
