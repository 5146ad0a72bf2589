//! Every recorded metrics request, to every target: nothing is lost, nothing is counted twice, what is
//! no GenAI metric goes on byte for byte, and a second pass changes nothing.

use std::collections::BTreeMap;
use std::path::PathBuf;

use bytes::Bytes;
use dragoman::genai::settings::{Genai, Originals, Target};
use dragoman::otlp::Signal;
use dragoman::otlp::json;

use crate::stage::{all_settings, metrics, points, said, to, translate, untouchable};
use crate::support::{cases, corpus, requests, text};

/// Every recorded metrics request, with where it is from.
fn recorded() -> Vec<(PathBuf, Bytes)> {
    let mut all = Vec::new();
    for emitter in std::fs::read_dir(corpus()).unwrap() {
        let emitter = emitter.unwrap().file_name().into_string().unwrap();
        for case in cases(&emitter) {
            let protobuf = requests(&case, "metrics.pb");
            let json = requests(&case, "metrics.json").into_iter();
            let json = json.map(|text| Bytes::from(json::decode(Signal::Metrics, &text).unwrap()));
            all.extend(protobuf.into_iter().chain(json).map(|body| (case.clone(), body)));
        }
    }
    assert!(all.len() > 250, "{} recorded requests", all.len());
    all
}

fn is_genai(name: &str) -> bool {
    let bare = ["prompt_tokens", "completion_tokens", "total_tokens"];
    name.starts_with("gen_ai.") || name.starts_with("llm.") || bare.contains(&name)
}

/// Tokens by instrument and direction, as all names that there are or were say it.
fn tokens(body: &[u8]) -> BTreeMap<(String, &'static str), f64> {
    let mut sums = BTreeMap::new();
    for (service, scope, metric) in metrics(body) {
        let fixed = match metric.name.as_str() {
            "prompt_tokens" | "gen_ai.usage.input_tokens" | "gen_ai.usage.prompt_tokens" => Some("input"),
            "completion_tokens" | "gen_ai.usage.output_tokens" | "gen_ai.usage.completion_tokens" => Some("output"),
            "gen_ai.client.inference.operation.input_tokens" | "gen_ai.client.inference.usage.input_tokens" => {
                Some("input")
            }
            "gen_ai.client.inference.operation.output_tokens" | "gen_ai.client.inference.usage.output_tokens" => {
                Some("output")
            }
            "gen_ai.client.token.usage" => None,
            name if name.starts_with("llm.") && name.ends_with(".tokens") => None,
            _ => continue,
        };
        for (number, attributes) in points(&metric) {
            let keys = ["gen_ai.token.type", "gen_ai.usage.token_type", "llm.usage.token_type"];
            let said = keys.iter().find_map(|key| text(&attributes, key));
            let direction = fixed.unwrap_or_else(|| match said {
                Some("input" | "prompt") => "input",
                Some("output" | "completion") => "output",
                other => panic!("{} {other:?}", metric.name),
            });
            *sums.entry((format!("{service} {scope}"), direction)).or_insert(0.0) += number;
        }
    }
    sums
}

#[test]
fn token_sums_are_the_same_before_and_after() {
    let mut seen = 0.0;
    for (case, body) in recorded() {
        let before = tokens(&body);
        seen += before.values().sum::<f64>();
        for settings in all_settings() {
            let (outcome, _) = translate(&settings, &body);
            assert_eq!(tokens(&outcome.body), before, "{} {settings:?}", case.display());
        }
    }
    assert!(seen > 10_000.0, "{seen} tokens in the corpus");
}

#[test]
fn nothing_but_names_units_and_attributes_changes_and_nothing_is_lost() {
    for (case, body) in recorded() {
        let mut before: Vec<String> = metrics(&body).iter().flat_map(|(.., metric)| untouchable(metric)).collect();
        before.sort();
        for settings in all_settings() {
            let (outcome, fates) = translate(&settings, &body);
            assert_eq!(outcome.kept, outcome.received, "{}", case.display());
            let mut after: Vec<String> =
                metrics(&outcome.body).iter().flat_map(|(.., metric)| untouchable(metric)).collect();
            after.sort();
            assert_eq!(after, before, "{} {settings:?}", case.display());
            // Every point of a GenAI metric has a fate, and no other has.
            let genai = metrics(&body)
                .iter()
                .filter(|(.., metric)| is_genai(&metric.name))
                .map(|(.., m)| points(m).len())
                .sum::<usize>();
            let counted: u64 =
                fates.iter().filter(|((dialect, ..), _)| *dialect != "other").map(|(_, count)| count).sum();
            let own = metrics(&body)
                .iter()
                .filter(|(.., metric)| metric.name.starts_with("llama_stack."))
                .map(|(.., m)| points(m).len())
                .sum::<usize>();
            assert_eq!(counted as usize, genai + own, "{} {fates:?}", case.display());
        }
    }
}

#[test]
fn what_is_no_genai_metric_stays_as_it_came() {
    let (mut foreign, mut untouched) = (0, 0);
    for (case, body) in recorded() {
        let others = |body: &[u8]| -> Vec<_> {
            metrics(body).into_iter().filter(|(.., metric)| !is_genai(&metric.name)).collect()
        };
        let before = others(&body);
        foreign += before.len();
        for settings in all_settings() {
            let (outcome, _) = translate(&settings, &body);
            assert_eq!(others(&outcome.body), before, "{}", case.display());
            if metrics(&body).iter().all(|(.., metric)| !is_genai(&metric.name)) {
                assert_eq!(outcome.body.as_ptr(), body.as_ptr());
                assert_eq!(outcome.body.len(), body.len());
                untouched += 1;
            }
        }
    }
    assert!(foreign > 100 && untouched > 20, "{foreign} {untouched}");
}

#[test]
fn a_second_pass_changes_nothing() {
    for (case, body) in recorded() {
        for settings in all_settings() {
            let (once, _) = translate(&settings, &body);
            let (twice, _) = translate(&settings, &once.body);
            assert_eq!(
                twice.body.as_ptr(),
                once.body.as_ptr(),
                "{} {settings:?}\n{:#?}",
                case.display(),
                said(&once.body)
            );
        }
    }
}

/// What 1.41 says, `main` can say, and what came of it 1.41 can say again.
#[test]
fn a_way_over_main_leads_back() {
    let mut metrics_seen = 0;
    for (case, body) in recorded() {
        let (old, _) = translate(&to(Target::V1_41), &body);
        let (new, _) = translate(&to(Target::Main), &old.body);
        let (back, _) = translate(&to(Target::V1_41), &new.body);
        let sorted = |body: &[u8]| {
            let mut lines: Vec<_> = said(body)
                .iter()
                .map(|line| {
                    let mut words: Vec<_> = line.split(' ').map(str::to_owned).collect();
                    words.sort();
                    words
                })
                .collect();
            lines.sort();
            // 1.41 does not know these, and leaves them their unit.
            lines.retain(|words: &Vec<String>| !words.iter().any(|word| word.starts_with("gen_ai.invoke_agent.")));
            lines
        };
        // A sum that `main` has a counter for does not come back.
        let has_sums = metrics(&old.body).iter().any(|(.., metric)| {
            metric.name.ends_with("_tokens") || metric.name.starts_with("llm.") && metric.name.ends_with(".tokens")
        });
        if !has_sums {
            metrics_seen += metrics(&old.body).len();
            assert_eq!(sorted(&back.body), sorted(&old.body), "{}", case.display());
        }
    }
    assert!(metrics_seen > 500, "{metrics_seen}");
}

#[test]
fn no_legacy_attribute_with_a_home_is_left_on_a_metric_of_the_conventions() {
    const LEGACY: [&str; 9] = [
        "gen_ai.openai.response.service_tier",
        "gen_ai.openai.response.system_fingerprint",
        "gen_ai.usage.token_type",
        "llm.usage.token_type",
        "llm.response.model",
        "llm.request.model",
        "llm.vendor",
        "model_id",
        "provider_id",
    ];
    let mut systems = 0;
    for (case, body) in recorded() {
        for target in [Target::V1_41, Target::Main] {
            let (outcome, _) = translate(&to(target), &body);
            for (.., metric) in metrics(&outcome.body) {
                if !metric.name.starts_with("gen_ai.") {
                    continue;
                }
                for (_, attributes) in points(&metric) {
                    for key in LEGACY {
                        assert_eq!(text(&attributes, key), None, "{} {}", case.display(), metric.name);
                    }
                    // A framework is no provider, and has no other home.
                    if let Some(system) = text(&attributes, "gen_ai.system") {
                        assert!(
                            ["Langchain", "langgraph", "langchain"].contains(&system),
                            "{} {system}",
                            case.display()
                        );
                        systems += 1;
                    }
                    if let Some(kind) = text(&attributes, "gen_ai.token.type") {
                        assert!(
                            ["input", "output"].contains(&kind) && target == Target::V1_41,
                            "{} {kind}",
                            metric.name
                        );
                    }
                }
            }
        }
    }
    assert!(systems > 0);
}

#[test]
fn with_originals_kept_every_attribute_and_name_stays() {
    for (case, body) in recorded() {
        for target in [Target::V1_41, Target::Main] {
            let settings = Genai { originals: Originals::Keep, ..to(target) };
            let (outcome, _) = translate(&settings, &body);
            let (before, after) = (metrics(&body), metrics(&outcome.body));
            assert_eq!(before.len(), after.len());
            for ((.., old), (.., new)) in before.iter().zip(&after) {
                assert_eq!((&old.name, &old.unit), (&new.name, &new.unit), "{}", case.display());
                for ((_, old), (_, new)) in points(old).iter().zip(points(new)) {
                    for entry in old {
                        assert!(new.iter().any(|other| other.key == entry.key), "{} {}", case.display(), entry.key);
                    }
                }
            }
        }
    }
}
