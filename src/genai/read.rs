//! From a span to claims: which attribute says what, in whose dialect.
//!
//! Nothing is decided here about targets. A claim notes where something was said; what became of it
//! is filled in by [`super::job`] and [`super::write`].

use super::convention::Names;
use super::dialect::{Counts, Dialect, Quirk, Reason, Sign};
use super::field::Field;
use super::index::{Dialects, Found, Index, KnownFamily, Meaning, Member, Scores};
use super::source::Source;
use crate::otlp::span::Span;
use crate::otlp::traces::Origin;

/// Where something was said.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum From {
    /// The attribute of this number.
    Attribute(usize),
    /// The event of this number in [`Source::events`].
    Event(usize),
}

/// One of the lists.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum ListOf {
    Input,
    Output,
    Instructions,
    Tools,
    Documents,
}

impl ListOf {
    /// All lists.
    pub(super) const ALL: [ListOf; 5] =
        [ListOf::Input, ListOf::Output, ListOf::Instructions, ListOf::Tools, ListOf::Documents];
}

/// What a claim says something about.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum About {
    Nothing,
    Field(Field),
    List(ListOf),
    /// Server address and port.
    Server,
    /// Token counts.
    Usage,
    /// A prompt template's variables.
    Variables,
}

/// What became of a claim.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Outcome {
    /// Not decided yet.
    Open,
    Expressed(Reason),
    Discarded(Reason),
    Kept(Reason),
}

/// An attribute or event that somebody knows.
#[derive(Debug, Clone, Copy)]
pub(super) struct Claim {
    pub(super) from: From,
    pub(super) dialect: u8,
    pub(super) about: About,
    pub(super) outcome: Outcome,
    /// Whether it is one of several that a single key makes; they become one in the end.
    pub(super) part: bool,
    /// For `explain`.
    pub(super) rule: &'static str,
}

/// A key and the one meaning of it that counts.
#[derive(Debug, Clone, Copy)]
pub(super) struct Work<'i> {
    /// The smaller, the sooner it is believed.
    pub(super) rank: u32,
    pub(super) attribute: usize,
    pub(super) meaning: &'i Meaning,
}

/// A key of a family and the one family that counts.
#[derive(Debug, Clone, Copy)]
pub(super) struct MemberWork<'i, 'k> {
    pub(super) rank: u32,
    pub(super) attribute: usize,
    pub(super) family: &'i KnownFamily,
    pub(super) member: Member<'k>,
}

/// Which dialect a span speaks.
#[derive(Debug, Clone, Copy, Default)]
pub(super) struct Recognised {
    pub(super) winner: u8,
    /// How far the next one is behind.
    pub(super) margin: u32,
    /// What spoke loudest for the winner, if anything but known keys did.
    pub(super) sign: Option<Sign>,
}

/// Who speaks on a span. The order in which dialects are believed follows from it, and from nothing
/// else: how many keys a dialect knows changes as soon as legacy keys are replaced, and must not
/// change what the kept ones mean.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(super) struct Speakers {
    /// What speaks loudest, if anything speaks for anybody but official OpenTelemetry.
    leader: Option<u8>,
    /// All that something of their own speaks for; of a mere habit, such as `llm.request.type`, which
    /// LiteLLM has too, only the leader may live. Without official OpenTelemetry, which comes after
    /// them and before those that nothing speaks for, whether its own names stand there yet or not.
    told: Dialects,
}

impl Speakers {
    fn of(index: &Index, tells: &Scores) -> Speakers {
        let mut speakers = Speakers::default();
        let mut loudest = 0;
        for (number, told) in tells.iter() {
            // Of two equally loud ones the first in the list leads.
            if told > loudest {
                loudest = told;
                speakers.leader = Some(number);
            }
        }
        if speakers.leader.is_none() {
            return speakers;
        }
        for (number, told) in tells.iter() {
            if (told >= OWN || speakers.leader == Some(number)) && !index.otel().has(number) {
                speakers.told.add(number);
            }
        }
        if speakers.told.is_empty() {
            return Speakers::default();
        }
        speakers
    }

    pub(super) fn has(&self, dialect: u8) -> bool {
        self.leader == Some(dialect) || self.told.has(dialect)
    }

    /// All that speak.
    fn all(&self) -> Dialects {
        self.told.or(self.leader.into_iter().collect())
    }

    /// Of several dialects the one that is believed first: the one with the least [`Speakers::rank`].
    #[inline]
    pub(super) fn first(&self, index: &Index, among: Dialects) -> Option<u8> {
        let leader = || self.leader.filter(|leader| among.has(*leader));
        let of = |preferred: Dialects| among.and(preferred).first();
        of(index.user())
            .or_else(leader)
            .or_else(|| of(self.told))
            .or_else(|| of(index.otel()))
            .or_else(|| among.first())
    }

    fn is_nobody(&self) -> bool {
        self.leader.is_none()
    }

    /// The table of the dialect that speaks loudest.
    pub(super) fn leader(&self, index: &Index) -> Option<&'static Dialect> {
        self.leader.and_then(|leader| index.table(leader))
    }

    /// Whether a single emitter speaks.
    fn is_one(&self) -> bool {
        self.told.is_one()
    }

    /// The smaller, the sooner the dialect is believed.
    pub(super) fn rank(&self, index: &Index, dialect: u8) -> u32 {
        if index.user().has(dialect) {
            RANK_USER
        } else if self.leader == Some(dialect) {
            RANK_WINNER
        } else if self.has(dialect) {
            RANK_OTHERS + u32::from(dialect)
        } else if index.otel().has(dialect) {
            // Nothing but shared keys speaks for the others, and those are the conventions' first.
            RANK_UNTOLD
        } else {
            RANK_UNTOLD + 1 + u32::from(dialect)
        }
    }
}

/// Who speaks on a span, and what makes it so.
#[derive(Debug, Clone)]
pub(super) struct Standing {
    pub(super) speakers: Speakers,
    /// The attributes that speak for somebody.
    telling: Vec<usize>,
    /// Whether one emitter speaks, and its scope or resource does: nothing that a translation
    /// removes can silence it or put another in its place.
    for_good: bool,
}

/// All that is known of a span's keys.
pub(super) struct Reading<'i, 'k> {
    pub(super) recognised: Recognised,
    pub(super) standing: Standing,
    /// Whether the span has a name that an emitter gives, of those that something speaks for.
    pub(super) named_by_emitter: bool,
    pub(super) work: Vec<Work<'i>>,
    pub(super) members: Vec<MemberWork<'i, 'k>>,
    /// Keys that stay, from prefixes.
    pub(super) claims: Vec<Claim>,
    /// Whether any unguarded key, family or event makes the span an LLM operation.
    pub(super) starts: bool,
}

/// Ranks: what corrects a current name, a current name, then the user's mappings, then the winner, then others that something
/// speaks for in their order, then official OpenTelemetry, then the rest.
const RANK_CORRECTION: u32 = 0;
pub(super) const RANK_CURRENT: u32 = 1;
const RANK_USER: u32 = 2;
const RANK_WINNER: u32 = 3;
const RANK_OTHERS: u32 = 4;
const RANK_UNTOLD: u32 = 300;
/// Facts that are only copied, or found within something larger.
pub(super) const RANK_COPY: u32 = 1000;
const RANK_GUARDED: u32 = 2000;
/// What means something only beside an operation's name.
const RANK_LATE: u32 = 3000;
/// Added to the rank of what stands on an event.
const RANK_EVENT: u32 = 10_000;

/// What a key weighs that only one emitter writes (see [`super::dialect::Tell`]); less is a habit.
const OWN: u32 = 20;

impl<'i> Reading<'i, '_> {
    /// Looks every key up and decides whose meaning counts. `names` are the target's own. `told` says
    /// whether somebody wants to know how clearly the dialect won.
    pub(super) fn new<'k>(
        index: &'i Index,
        source: &Source<'k>,
        name: &str,
        origin: &Origin<'_>,
        names: &Names,
        told: bool,
    ) -> Reading<'i, 'k> {
        let mut tells = Scores::default();
        let sign = index.score_origin(origin, &mut tells);
        let by_origin = Speakers::of(index, &tells);
        let sign_of_name = index.score_name(name, &mut tells);
        let mut seen = 0;
        let mut telling = Vec::with_capacity(source.attributes.len());
        let mut found = Vec::with_capacity(source.attributes.len());
        for (attribute, (key, _)) in source.attributes.iter().enumerate() {
            if let Some(event) = source.lender(attribute).filter(|event| index.has_rules_on(event)) {
                found.push(index.on_event(event, key).map_or(Found::Foreign, Found::OnEvent));
                continue;
            }
            let (what, speaks) = index.find_and_score(key, &mut tells, &mut seen);
            if speaks {
                telling.push(attribute);
            }
            found.push(what);
        }
        let speakers = Speakers::of(index, &tells);
        let recognised = match speakers.leader {
            Some(leader) if !told => Recognised { winner: leader, margin: 0, sign: None },
            _ => {
                let scores = scores(index, source, &found, tells);
                recognise(index, &scores, &speakers, |winner| sign.loudest(winner).or(sign_of_name.loudest(winner)))
            }
        };
        let rank = |dialect: u8| speakers.rank(index, dialect);

        let has = |key: &str| source.get(key).is_some();
        let named_by_emitter = index.names_span(name, origin.scope_name, has, speakers.all());
        let mut reading = Reading {
            recognised,
            standing: Standing {
                speakers,
                telling,
                for_good: speakers.is_nobody() || (speakers == by_origin && speakers.is_one()),
            },
            named_by_emitter,
            work: Vec::with_capacity(found.len()),
            members: Vec::new(),
            claims: Vec::new(),
            starts: source.events.iter().any(|event| event.lent.is_empty()),
        };
        for (attribute, what) in found.into_iter().enumerate() {
            let Some((key, _)) = source.attributes.get(attribute) else { continue };
            match what {
                Found::Entry(entry) => {
                    let among = entry.dialects(speakers.all());
                    let meaning = speakers.first(index, among).and_then(|dialect| entry.meaning_of(dialect));
                    let Some(meaning) = meaning else { continue };
                    reading.starts |= meaning.starts();
                    reading.work.push(Work {
                        rank: match source.is_own(attribute) {
                            true => work_rank(meaning, rank(meaning.dialect), key, names),
                            // A current name on an event is not where the target wants it.
                            false => RANK_EVENT + rank(meaning.dialect),
                        },
                        attribute,
                        meaning,
                    });
                }
                Found::OnEvent(meaning) => {
                    reading.starts |= meaning.starts();
                    reading.work.push(Work { rank: RANK_EVENT + rank(meaning.dialect), attribute, meaning });
                }
                Found::Member(member) => {
                    let Some(entry) = index.families.get(member.family) else { continue };
                    let dialect = speakers.first(index, entry.dialects);
                    if let Some(family) = dialect.and_then(|dialect| entry.of(dialect)) {
                        reading.starts = true;
                        if reading.members.capacity() == 0 {
                            reading.members.reserve(source.attributes.len() - attribute);
                        }
                        reading.members.push(MemberWork { rank: rank(family.dialect), attribute, family, member });
                    }
                }
                Found::Kept(dialect, reason) => reading.claims.push(Claim {
                    from: From::Attribute(attribute),
                    dialect,
                    about: About::Nothing,
                    outcome: Outcome::Kept(reason),
                    part: false,
                    rule: "a key without a place in the conventions stays",
                }),
                Found::Foreign => {}
            }
        }
        // Stable: of two equal keys the first attribute is believed.
        reading.work.sort_by_key(|work| (work.rank, work.meaning.order));
        reading
    }

    /// Whether any key counts only under a guard.
    pub(super) fn has_guarded(&self) -> bool {
        self.work.iter().any(|work| work.meaning.guarded)
    }

    /// How the leader counts tokens.
    pub(super) fn counts(&self, index: &Index) -> Counts {
        self.standing.speakers.leader(index).map_or(Counts::UNSAID, |table| table.counts)
    }

    /// The leader's quirk.
    pub(super) fn quirk(&self, index: &Index) -> Option<Quirk> {
        self.standing.speakers.leader(index).and_then(|table| table.quirk)
    }
}

impl Standing {
    /// Whether a span that was read so and then written may be read otherwise now: what spoke for
    /// an emitter is gone, and what is left means something else without it. Spans of one emitter
    /// with a scope of its own are known not to be, before any key is looked at.
    pub(super) fn is_unsettled(
        &self,
        index: &Index,
        source: &Source<'_>,
        span: &Span<'_>,
        origin: &Origin<'_>,
    ) -> bool {
        if self.for_good {
            return false;
        }
        let left = |attribute: &usize| {
            source.own_attributes().get(*attribute).map(|(key, _)| *key).filter(|key| span.has(key))
        };
        let mut tells = Scores::default();
        let mut seen = 0;
        index.score_origin(origin, &mut tells);
        index.score_name(span.name(), &mut tells);
        for key in self.telling.iter().filter_map(left) {
            index.score(key, &mut tells, &mut seen);
        }
        let now = Speakers::of(index, &tells);
        if now == self.speakers {
            return false;
        }
        // Somebody else leads, whose quirk and whose words for current names count now.
        if !now.is_nobody() || !source.events.is_empty() {
            return true;
        }
        (0..source.own).filter_map(|attribute| left(&attribute)).any(|key| match index.find(key) {
            Found::Entry(entry) => {
                let counts = |speakers: &Speakers| speakers.first(index, entry.dialects(speakers.all()));
                counts(&self.speakers) != counts(&now)
            }
            Found::Member(member) => {
                let among = index.families.get(member.family).map_or(Dialects::default(), |entry| entry.dialects);
                self.speakers.first(index, among) != now.first(index, among)
            }
            Found::Kept(..) | Found::OnEvent(_) | Found::Foreign => false,
        })
    }
}

/// How many keys and events each dialect knows, with what speaks for it.
fn scores(index: &Index, source: &Source<'_>, found: &[Found<'_, '_>], mut scores: Scores) -> Scores {
    for what in found {
        let known = match what {
            Found::Entry(entry) => entry.shared(),
            Found::Member(member) => {
                // Each of a dialect's families counts.
                for family in index.families.get(member.family).map_or(&[][..], |entry| &entry.families) {
                    scores.add(family.dialect, 1);
                }
                continue;
            }
            Found::Kept(..) | Found::OnEvent(_) | Found::Foreign => continue,
        };
        known.iter().for_each(|dialect| scores.add(dialect, 1));
    }
    for event in &source.events {
        for (dialect, rule) in &index.events {
            if rule.matches(event.name) {
                scores.add(*dialect, 1);
            }
        }
    }
    scores
}

fn work_rank(meaning: &Meaning, rank: u32, key: &str, names: &Names) -> u32 {
    use super::convention::{
        INPUT_MESSAGES, OUTPUT_MESSAGES, RETRIEVAL_DOCUMENTS, SYSTEM_INSTRUCTIONS, TOOL_DEFINITIONS,
    };
    use super::dialect::Action;
    match meaning.action {
        Action::Field(field) if names.is_name_of(field, key) => RANK_CURRENT,
        Action::Input if key == INPUT_MESSAGES => RANK_CURRENT,
        Action::Output if key == OUTPUT_MESSAGES => RANK_CURRENT,
        Action::Instructions if key == SYSTEM_INSTRUCTIONS => RANK_CURRENT,
        Action::Tools if key == TOOL_DEFINITIONS => RANK_CURRENT,
        Action::Documents if key == RETRIEVAL_DOCUMENTS => RANK_CURRENT,
        _ if meaning.corrects && rank == RANK_WINNER => RANK_CORRECTION,
        // A dialect's own reading of a current name: what it takes from it stands there already.
        Action::Read(_) if names.is_name(key) => RANK_CURRENT,
        _ if meaning.guarded => RANK_GUARDED + rank,
        Action::Copy(_) | Action::Usage | Action::Url | Action::Read(_) | Action::Members(_) => RANK_COPY + rank,
        Action::ByOperation(_) => RANK_LATE + rank,
        _ => rank,
    }
}

/// The dialect to be named: the one that leads or, where no emitter speaks, the one that knows most.
fn recognise(index: &Index, scores: &Scores, speakers: &Speakers, sign: impl Fn(u8) -> Option<Sign>) -> Recognised {
    let mut best: Option<(u8, u32)> = None;
    let mut next = 0;
    // Whoever nothing speaks for counts, too: of all zeros the first wins.
    for number in (0..index.dialects.len()).filter_map(|number| u8::try_from(number).ok()) {
        // Mappings of the user's keys say nothing about who wrote the rest.
        if index.table(number).is_none() {
            continue;
        }
        let score = scores.get(number);
        match best {
            Some((_, score_of_best)) if score <= score_of_best => next = next.max(score),
            _ => {
                next = best.map_or(0, |(_, score)| score);
                best = Some((number, score));
            }
        }
    }
    if let Some(leader) = speakers.leader
        && let Some((winner, best)) = best
        && leader != winner
    {
        let margin = scores.get(leader).saturating_sub(best);
        return Recognised { winner: leader, margin, sign: sign(leader) };
    }
    match best {
        Some((winner, score)) => Recognised { winner, margin: score - next, sign: sign(winner) },
        None => Recognised::default(),
    }
}

#[cfg(test)]
mod tests {
    use super::super::convention::Convention;
    use super::super::dialect::{BUILT_IN, user};
    use super::super::settings::{Mapping, Target};
    use super::*;

    #[test]
    fn the_first_of_several_dialects_is_the_one_with_the_least_rank() {
        let mapping = Mapping { key: "app.model".into(), to: "gen_ai.request.model".into(), values: Vec::new() };
        let user = user::rules(&[mapping], Convention::of(Target::V1_41));
        let index = Index::new(user, BUILT_IN);
        let otel = index.otel().first().unwrap();
        let mut random = fastrand::Rng::with_seed(7);
        let mut some = |most: usize| -> Dialects {
            (0..random.usize(0..=most)).map(|_| random.u8(0..index.dialects.len() as u8)).collect()
        };
        for _ in 0..2000 {
            let (among, mut tells) = (some(6), Scores::default());
            some(3).iter().for_each(|dialect| tells.add(dialect, OWN));
            // Official OpenTelemetry may be the loudest.
            some(1).iter().for_each(|_| tells.add(otel, 10 * OWN));
            let speakers = Speakers::of(&index, &tells);
            let least = among.iter().min_by_key(|dialect| speakers.rank(&index, *dialect));
            assert_eq!(speakers.first(&index, among), least, "{speakers:?} among {among:?}");
        }
    }
}
