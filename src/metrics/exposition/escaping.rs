//! How names reach a scraper that cannot read every one: Prometheus' escaping schemes
//! (prometheus.io/docs/instrumenting/escaping_schemes), asked for with the `escaping` parameter of
//! a media type.

use std::fmt::Write;

/// What is done to a name.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Escaping {
    /// Nothing; a name with more than classic characters is written in quotes.
    Utf8,
    /// What is not classic becomes `_`.
    Underscores,
    /// A dot becomes `_dot_`, an underscore two of them.
    Dots,
    /// What is not classic becomes its code point; such a name begins with `U__`.
    Values,
}

impl Escaping {
    /// The scheme that a parameter asks for.
    pub(super) fn asked(parameter: &str) -> Option<Self> {
        // The content negotiation page calls the first one `allow-utf8`, everything else `allow-utf-8`.
        [("allow-utf8", Escaping::Utf8)]
            .into_iter()
            .chain(Escaping::ALL.map(|scheme| (scheme.name(), scheme)))
            .find_map(|(name, scheme)| name.eq_ignore_ascii_case(parameter).then_some(scheme))
    }

    const ALL: [Escaping; 4] = [Escaping::Utf8, Escaping::Underscores, Escaping::Dots, Escaping::Values];

    /// The parameter's value.
    pub(super) const fn name(self) -> &'static str {
        match self {
            Escaping::Utf8 => "allow-utf-8",
            Escaping::Underscores => "underscores",
            Escaping::Dots => "dots",
            Escaping::Values => "values",
        }
    }

    /// A metric's name as the scheme has it.
    pub(super) fn metric(self, name: String) -> String {
        self.apply(name, true)
    }

    /// A label's name as the scheme has it: a colon is for metrics only. No name of Prometheus' own
    /// (`le`, `quantile`) is passed through here.
    pub(super) fn label(self, name: String) -> String {
        self.apply(name, false)
    }

    fn apply(self, name: String, colon: bool) -> String {
        let escape: fn(&mut String, char) = match self {
            Escaping::Utf8 => return name,
            Escaping::Underscores | Escaping::Values if is_classic(&name) && (colon || !name.contains(':')) => {
                return name;
            }
            Escaping::Underscores => |out, _| out.push('_'),
            Escaping::Dots => |out, c| {
                out.push_str(match c {
                    '.' => "_dot_",
                    '_' => "__",
                    _ => "_",
                });
            },
            Escaping::Values => |out, c| {
                // Writing to a string does not fail.
                if c == '_' || write!(out, "_{:X}_", u32::from(c)).is_err() {
                    out.push_str("__");
                }
            },
        };
        let mut out = String::with_capacity(name.len() + 8);
        if self == Escaping::Values {
            out.push_str("U__");
        }
        for (at, c) in name.char_indices() {
            let digit = c.is_ascii_digit() && at == 0;
            let special = c == '_' && self != Escaping::Underscores;
            if is_classic_char(c) && (colon || c != ':') && !digit && !special {
                out.push(c);
            } else {
                escape(&mut out, c);
            }
        }
        out
    }
}

/// Whether every Prometheus takes a name as it is.
pub(super) fn is_classic(name: &str) -> bool {
    !name.is_empty() && !name.starts_with(|first: char| first.is_ascii_digit()) && name.chars().all(is_classic_char)
}

fn is_classic_char(c: char) -> bool {
    c.is_ascii_alphanumeric() || c == '_' || c == ':'
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_scheme_has_its_names() {
        for (name, underscores, dots, values) in [
            ("http.status:sum", "http_status:sum", "http_dot_status:sum", "U__http_2E_status:sum"),
            ("no_change", "no_change", "no__change", "no_change"),
            ("a_b.c", "a_b_c", "a__b_dot_c", "U__a__b_2E_c"),
            ("9lives.é", "_lives__", "_lives_dot__", "U___39_lives_2E__E9_"),
        ] {
            assert_eq!(Escaping::Utf8.metric(name.into()), name);
            assert_eq!(Escaping::Underscores.metric(name.into()), underscores);
            assert_eq!(Escaping::Dots.metric(name.into()), dots);
            assert_eq!(Escaping::Values.metric(name.into()), values);
            for escaped in [underscores, dots, values] {
                assert!(is_classic(escaped), "{escaped}");
            }
        }
    }

    #[test]
    fn a_label_has_no_colon() {
        for (scheme, expected) in [
            (Escaping::Utf8, "a:b"),
            (Escaping::Underscores, "a_b"),
            (Escaping::Dots, "a_b"),
            (Escaping::Values, "U__a_3A_b"),
        ] {
            assert_eq!(scheme.label("a:b".into()), expected);
            assert_eq!(scheme.metric("a:b".into()), "a:b");
        }
    }
}
