"""Ways in, each thin: batch files, Spark, HTTP, the MLflow registry, and the report.

None of them has a rule of its own: they read, ask the scorer, and write. Import the module that is
wanted; this package imports none of them, so that none drags its dependencies in.
"""
