/** How the docs look, on small screens and in the dark too. */
export const STYLE = `:root{color-scheme:light dark;--line:#8884;--quiet:#777;--link:#06c}
@media(prefers-color-scheme:dark){:root{--link:#6bf}}
*{box-sizing:border-box}
body{margin:0;font:15px/1.5 system-ui,sans-serif;display:grid;grid-template-columns:16rem minmax(0,1fr)}
nav{position:sticky;top:0;height:100vh;overflow:auto;padding:1rem;border-right:1px solid var(--line);font-size:13px}
nav p{margin:.8rem 0 .2rem;font-weight:600}nav ul{margin:0;padding-left:1rem;list-style:none}
main{padding:1rem 2rem;max-width:70rem}
a{color:var(--link);text-decoration:none}a:hover,a:focus{text-decoration:underline}
article{border-top:1px solid var(--line);padding:.5rem 0 1rem}
h3{scroll-margin-top:1rem}h3 a{font-size:13px;font-weight:400}h4{margin:.8rem 0 .3rem}
small,em{color:var(--quiet);font-style:normal}
code{font:13px ui-monospace,monospace}
pre{overflow:auto;padding:.7rem;border:1px solid var(--line);border-radius:4px}
table{border-collapse:collapse;display:block;overflow:auto}
th,td{text-align:left;vertical-align:top;padding:.2rem .8rem .2rem 0;border-bottom:1px solid var(--line)}
td ul{margin:0;padding-left:1rem}
@media(max-width:50rem){body{display:block}nav{position:static;height:auto;border:0}main{padding:1rem}}
`
