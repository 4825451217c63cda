// Sets the colour scheme before the first paint. A file of its own, because the
// content security policy allows no inline script.
;(function () {
  var root = document.documentElement
  var scheme = 'dark'
  var pnl = 'teal-coral'
  try {
    scheme = localStorage.getItem('tw-color-scheme') || scheme
    pnl = (JSON.parse(localStorage.getItem('tw-preferences') || '{}') || {}).pnlColors || pnl
  } catch {
    // Storage may be blocked; the defaults are fine.
  }
  if (scheme === 'auto') {
    scheme = matchMedia('(prefers-color-scheme: light)').matches ? 'light' : 'dark'
  }
  root.setAttribute('data-mantine-color-scheme', scheme)
  root.setAttribute('data-pnl', pnl)
})()
