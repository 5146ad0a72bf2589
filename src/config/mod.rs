//! YAML as people write it, read with the place of every value, so that every mistake is reported
//! at once with file, line, column and path. Knows no component: each component reads its own
//! section in its own file.
