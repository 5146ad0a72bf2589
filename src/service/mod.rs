//! A checked configuration becomes running tasks: start and drain.
