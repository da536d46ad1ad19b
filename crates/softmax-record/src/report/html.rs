//! A report as a self-contained HTML file.

use super::page::{Page, Section};
use maud::{DOCTYPE, Markup, PreEscaped, html};

const STYLE: &str = "
:root { color-scheme: light dark; --ground: #fefefe; --ink: #1f2328; --faint: #59636e; --line: #d8dee4; --code: #f3f5f7 }
@media (prefers-color-scheme: dark) {
  :root { --ground: #0d1117; --ink: #e6edf3; --faint: #9198a1; --line: #30363d; --code: #161b22 }
}
* { box-sizing: border-box }
body { margin: 0 auto; max-width: 60rem; padding: 1rem; background: var(--ground); color: var(--ink);
  font: 1rem/1.5 system-ui, sans-serif }
h1 { font-size: 1.6rem } h2 { font-size: 1.25rem; margin-top: 2.5rem }
.summary { border-left: 4px solid #0969da; padding: .25rem 0 .25rem 1.75rem; margin: 0 } .summary li + li { margin-top: .35rem }
.wide { overflow-x: auto } figure { margin: 1rem 0 } svg { width: 100%; min-width: 42rem; height: auto }
table { border-collapse: collapse; font-size: .875rem; font-variant-numeric: tabular-nums }
th, td { padding: .3rem .6rem; border-bottom: 1px solid var(--line); text-align: left; white-space: nowrap }
td:first-child, th:first-child { padding-left: 0 }
.number { text-align: right } .note, nav { color: var(--faint); font-size: .875rem }
pre { background: var(--code); padding: .6rem .8rem; overflow-x: auto; font-size: .8125rem; border-radius: 6px }
@media (min-width: 44rem) { .legend { display: none } } .legend span { white-space: nowrap } .legend > span { margin-right: .8rem }
nav { margin-top: 1rem } nav a { margin-right: 1rem } a { color: inherit }
";

impl Page {
    /// The page as HTML, with its figures inline.
    pub fn html(&self) -> String {
        let page = html! {
            (DOCTYPE)
            html lang="en" {
                head {
                    meta charset="utf-8";
                    meta name="viewport" content="width=device-width, initial-scale=1";
                    title { (self.title) }
                    style { (PreEscaped(STYLE)) }
                }
                body {
                    h1 { (self.title) }
                    ul.summary { @for sentence in &self.summary { li { (sentence) } } }
                    nav {
                        @for (k, section) in self.sections.iter().enumerate() {
                            a href=(format!("#section-{k}")) { (section.title) } " "
                        }
                    }
                    @for (k, section) in self.sections.iter().enumerate() { (section.html(k)) }
                }
            }
        };
        page.into_string()
    }
}

impl Section {
    fn html(&self, number: usize) -> Markup {
        html! {
            section id=(format!("section-{number}")) {
                h2 { (self.title) }
                p { (self.text) }
                @if let Some(figure) = &self.figure {
                    figure.wide role="img" aria-label=(figure.description) { (PreEscaped(&figure.svg)) }
                    @if !figure.legend.is_empty() {
                        p.legend aria-hidden="true" {
                            @for (name, color) in &figure.legend {
                                span { span style=(format!("color: {color}")) { "●" } " " (name) } " "
                            }
                        }
                    }
                }
                @if let Some(table) = &self.table { (table.html()) }
                @if !self.commands.is_empty() { pre { code { (self.commands.join("\n")) } } }
            }
        }
    }
}
