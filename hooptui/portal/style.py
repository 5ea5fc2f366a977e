"""The one stylesheet of the portal's pages: light and dark, from 320 pixels up, no font or picture from anywhere."""

STYLE = """\
:root {
  color-scheme: light dark;
  --ink: #1b1f24; --dim: #57606a; --paper: #ffffff; --field: #f6f8fa; --line: #8c959f;
  --act: #0a5bb5; --act-ink: #ffffff; --bad: #b3261e; --good: #1a6b34;
}
@media (prefers-color-scheme: dark) {
  :root {
    --ink: #e6edf3; --dim: #9aa7b4; --paper: #11161d; --field: #1b222c; --line: #6b7785;
    --act: #6cb1ff; --act-ink: #0b1320; --bad: #ff8a80; --good: #7ee2a0;
  }
}
* { box-sizing: border-box; }
body {
  margin: 0; padding: 1.25rem 1rem 2rem; background: var(--paper); color: var(--ink);
  font: 1rem/1.5 system-ui, sans-serif; overflow-wrap: anywhere;
}
header, main, footer { max-width: 36rem; margin: 0 auto; }
header { color: var(--dim); font-size: .95rem; border-bottom: 1px solid var(--line); padding-bottom: .5rem; }
header a { color: inherit; font-weight: 600; text-decoration: none; }
h1 { font-size: 1.5rem; line-height: 1.25; margin: 1.25rem 0 .75rem; }
p { margin: .75rem 0; }
a { color: var(--act); }
dl { margin: 1rem 0; border: 1px solid var(--line); border-radius: .375rem; padding: .25rem .875rem; }
dl div { display: flex; flex-wrap: wrap; gap: 0 1rem; padding: .375rem 0; }
dt { color: var(--dim); flex: 0 0 7rem; }
dd { margin: 0; flex: 1 1 12rem; min-width: 0; }
ul.ways { list-style: none; padding: 0; }
ul.ways li { margin: .5rem 0; }
form { margin: 1rem 0; }
label { display: block; font-weight: 600; margin-bottom: .25rem; }
input[type=text] {
  width: 100%; max-width: 20rem; min-height: 2.75rem; padding: .5rem .75rem; font: 1.25rem/1.2 ui-monospace, monospace;
  letter-spacing: .1em; text-transform: uppercase; color: inherit; background: var(--field);
  border: 1px solid var(--line); border-radius: .375rem;
}
.row { display: flex; flex-wrap: wrap; gap: .75rem; margin-top: 1rem; }
button, a.button {
  display: inline-block; min-height: 2.75rem; padding: .5rem 1.25rem; font: inherit; font-weight: 600; line-height: 1.6;
  border: 1px solid var(--act); border-radius: .375rem; background: var(--act); color: var(--act-ink);
  text-decoration: none; cursor: pointer;
}
button.quiet, a.quiet { background: transparent; color: var(--act); }
button.bad { background: transparent; border-color: var(--bad); color: var(--bad); }
:focus-visible { outline: 3px solid var(--act); outline-offset: 2px; }
code, pre { font-family: ui-monospace, monospace; font-size: .95em; }
pre { background: var(--field); border: 1px solid var(--line); border-radius: .375rem; padding: .75rem; white-space: pre-wrap; }
.code { font: 700 1.5rem/1.3 ui-monospace, monospace; letter-spacing: .1em; }
.bad { color: var(--bad); }
.good { color: var(--good); }
.dim { color: var(--dim); }
"""
