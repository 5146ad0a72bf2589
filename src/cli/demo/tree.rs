//! Spans as a tree, with what was dropped in its place.

use super::play::Show;
use super::spans::Seen;
use crate::cli::paint::{Paint, count, shortened};
use crate::otlp::id::SpanId;

/// Deeper traces are cut; the recorded ones are not.
const DEEPEST: usize = 8;
/// Columns of the names on one line.
const NAMES: usize = 58;

/// A line for each span; statements of one database below one parent share theirs.
pub(super) fn tree(show: &Show, paint: Paint) -> Vec<String> {
    let mut lines = Vec::new();
    let is_here = |id: SpanId| show.sent.iter().any(|span| span.key.1 == id);
    let roots = show.sent.iter().filter(|span| span.parent.is_none_or(|parent| !is_here(parent)));
    // The trace first, then what trails in from elsewhere.
    let (mut roots, strays): (Vec<&Seen>, Vec<&Seen>) = roots.partition(|span| span.parent.is_none());
    roots.extend(strays);
    below(show, &roots, "", 0, paint, &mut lines);
    lines
}

/// Siblings that stand on one line.
struct Group<'s> {
    spans: Vec<&'s Seen>,
    database: Option<&'s str>,
}

fn below(show: &Show, siblings: &[&Seen], indent: &str, depth: usize, paint: Paint, lines: &mut Vec<String>) {
    let groups = groups(show, siblings);
    for (place, group) in groups.iter().enumerate() {
        let Some(first) = group.spans.first() else { continue };
        let (branch, deeper) = match (depth, place + 1 == groups.len()) {
            (0, _) => ("", ""),
            (_, false) => ("├─ ", "│  "),
            (_, true) => ("└─ ", "   "),
        };
        lines.push(format!("{indent}{branch}{}", line(show, group, paint)));
        let children: Vec<&Seen> = group.spans.iter().flat_map(|parent| children(show, parent)).collect();
        if !children.is_empty() && depth < DEEPEST {
            let indent = format!("{indent}{deeper}");
            let children = if group.database.is_none() { self::children(show, first) } else { children };
            below(show, &children, &indent, depth + 1, paint, lines);
        }
    }
}

fn children<'s>(show: &'s Show, parent: &Seen) -> Vec<&'s Seen> {
    show.sent.iter().filter(|span| span.parent == Some(parent.key.1)).collect()
}

/// Statements of one database are one group; so are siblings that look alike with all below them.
fn groups<'s>(show: &Show, siblings: &[&'s Seen]) -> Vec<Group<'s>> {
    let mut groups: Vec<Group<'s>> = Vec::new();
    for span in siblings {
        let database = span.database();
        let found = groups.iter_mut().find(|group| match (group.database, database) {
            (Some(one), Some(other)) => one == other,
            (None, None) => group.spans.first().is_some_and(|other| alike(show, span, other, 0)),
            _ => false,
        });
        match found {
            Some(group) => group.spans.push(span),
            None => groups.push(Group { spans: vec![span], database }),
        }
    }
    groups
}

fn alike(show: &Show, one: &Seen, other: &Seen, depth: usize) -> bool {
    let (ones, others) = (children(show, one), children(show, other));
    depth < DEEPEST
        && name(show, one) == name(show, other)
        && ones.len() == others.len()
        && ones.iter().zip(&others).all(|(one, other)| alike(show, one, other, depth + 1))
}

/// The name that came out.
fn name<'s>(show: &'s Show, span: &'s Seen) -> &'s str {
    show.exported.get(&span.key).map_or(&span.name, |exported| &exported.name)
}

fn line(show: &Show, group: &Group<'_>, paint: Paint) -> String {
    let Some(first) = group.spans.first() else { return String::new() };
    let spans = count(group.spans.len(), "span", "spans");
    match group.database {
        Some(database) => {
            // The statement; what follows it is the database's name, again and again.
            let names = group.spans.iter().map(|span| span.name.split([' ', ';']).next().unwrap_or_default());
            let names = shortened(&names.collect::<Vec<_>>().join(", "), NAMES);
            match group.spans.iter().any(|span| show.exported.contains_key(&span.key)) {
                true => format!("{names}  {}", paint.good(&format!("{database}: {spans}, kept"))),
                false => format!("{}  {}", paint.dim(&names), paint.bad(&format!("✗ {database}: {spans}, dropped"))),
            }
        }
        None => {
            let times = match group.spans.len() {
                1 => String::new(),
                times => format!(" ×{times}"),
            };
            let name = shortened(name(show, first), NAMES);
            format!("{}{times}  {}", paint.strong(&name), paint.dim(first.kind))
        }
    }
}
