//! temporary viewer
mod support;
use dragoman::genai::settings::Genai;
use dragoman::genai::{Translator, translate::NoBatch};
use dragoman::otlp::{
    span::Span,
    traces::{self, Origin, Visitor},
};
struct V {
    t: Translator,
    tally: dragoman::genai::Tally,
    out: Vec<String>,
}
impl Visitor for V {
    fn span(&mut self, span: &mut Span<'_>, origin: &Origin<'_>) {
        let before: Vec<(String, String)> = span.source_attributes().map(|(k, v)| (k.to_owned(), show(&v))).collect();
        let old = format!("{} {}", span.name(), span.kind().name());
        let r = self.t.translate(span, origin, &mut NoBatch, &mut self.tally);
        let mut bytes = Vec::new();
        span.write(&mut bytes);
        let mut s = Span::new();
        s.parse(&bytes).unwrap();
        let after: Vec<(String, String)> = s.source_attributes().map(|(k, v)| (k.to_owned(), show(&v))).collect();
        self.out.push(format!(
            "== {old} -> {} {} [{}] {:?}",
            s.name(),
            s.kind().name(),
            origin.scope_name,
            r.map(|r| (r.dialect, r.model_call, r.input_tokens, r.output_tokens))
        ));
        for (k, v) in &before {
            if !after.contains(&(k.clone(), v.clone())) {
                self.out.push(format!("   - {k} = {v}"));
            }
        }
        for (k, v) in &after {
            let mark = if before.contains(&(k.clone(), v.clone())) { " " } else { "+" };
            if mark == "+"
                || !(k.starts_with("metadata.") || k.starts_with("gen_ai.cost") || k.starts_with("llm.openai."))
            {
                self.out.push(format!("   {mark} {k} = {v}"));
            }
        }
    }
}
fn show(v: &dragoman::otlp::value::Value<'_>) -> String {
    let mut o = String::new();
    dragoman::genai::content::write_value(v, &mut o);
    o.chars().take(700).collect()
}
#[test]
fn view() {
    let Ok(list) = std::env::var("VIEW") else { return };
    for case in list.split(',') {
        for body in support::requests(std::path::Path::new(case), "traces.pb") {
            let t = Translator::new(&Genai::default());
            let tally = t.tally();
            let mut v = V { t, tally, out: vec![] };
            let out = traces::edit(&body, &mut v).unwrap();
            println!("##### {case}\n{}", v.out.join("\n"));
            println!("{:?}", v.tally.iter().collect::<Vec<_>>());
            let mut again = V { t: Translator::new(&Genai::default()), tally: v.t.tally(), out: vec![] };
            let twice = traces::edit(&out.body, &mut again).unwrap();
            if twice.body != out.body {
                println!("!!!! NOT IDEMPOTENT\n{}", again.out.join("\n"));
            }
        }
    }
}
