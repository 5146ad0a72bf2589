#[path = "../tests/genai_support/mod.rs"]
mod genai_support;
use genai_support::*;
fn main() {
    let mut n = 0;
    for path in std::env::args().skip(1) {
        let body = std::fs::read(&path).unwrap();
        for (i, settings) in all_settings().iter().enumerate() {
            let once = translate(&body, settings);
            let twice = translate(&once.body, settings);
            if once.body != twice.body {
                for (a, b) in once.spans.iter().zip(&twice.spans) {
                    if a != b {
                        println!("NOT IDEMPOTENT {path} settings {i} span {}", a.name);
                        let (x, y) = (attributes(a), attributes(b));
                        for (k, v) in x.as_object().unwrap() {
                            if y.get(k) != Some(v) {
                                println!("   {k}: {:.200} -> {:.200}", v.to_string(), y[k].to_string());
                            }
                        }
                        for (k, v) in y.as_object().unwrap() {
                            if x.get(k).is_none() {
                                println!("   + {k}: {:.200}", v.to_string());
                            }
                        }
                        break;
                    }
                }
            }
            if i == 0 && std::env::var("SHOW").is_ok() {
                println!("## {path}");
                for (s, t) in once.spans.iter().zip(&once.translations) {
                    if let Some(t) = t {
                        println!(
                            "  {} {:?} {} {:?}",
                            s.name,
                            s.kind(),
                            t.dialect,
                            s.events.iter().map(|e| e.name.as_str()).collect::<Vec<_>>()
                        );
                        for (k, v) in attributes(s).as_object().unwrap() {
                            println!("      {k} = {:.300}", v.to_string());
                        }
                    }
                }
                for e in once.tally.iter() {
                    println!("   {e:?}");
                }
            }
            n += 1;
        }
    }
    println!("{n}");
}
