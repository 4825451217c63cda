/** A browser's own description as a person would say it: "Firefox on Linux". */

const BROWSERS = [
  ['Edg/', 'Edge'],
  ['OPR/', 'Opera'],
  ['Firefox/', 'Firefox'],
  ['HeadlessChrome/', 'Headless Chrome'],
  ['Chrome/', 'Chrome'],
  ['Safari/', 'Safari'],
] as const

const SYSTEMS = [
  ['Android', 'Android'],
  ['iPhone', 'iPhone'],
  ['iPad', 'iPad'],
  ['Windows', 'Windows'],
  ['Mac OS X', 'macOS'],
  ['CrOS', 'ChromeOS'],
  ['Linux', 'Linux'],
] as const

type Names = readonly (readonly [sign: string, name: string])[]

const firstOf = (names: Names, agent: string) => names.find(([sign]) => agent.includes(sign))?.[1]

export function describeAgent(agent: string | null | undefined): string {
  if (!agent) return 'Unknown browser'
  const browser = firstOf(BROWSERS, agent)
  const system = firstOf(SYSTEMS, agent)
  if (!browser) return agent.slice(0, 60)
  return system ? `${browser} on ${system}` : browser
}
