/** The charts' colours, read from the same variables as everything else. */
import { ColorType, CrosshairMode, type ChartOptions, type DeepPartial } from 'lightweight-charts'

export interface ChartColors {
  surface: string
  grid: string
  border: string
  divider: string
  text: string
  up: string
  upSoft: string
  down: string
  downSoft: string
  accent: string
  shade: string
  info: string
  warning: string
}

const VARIABLES: Record<keyof ChartColors, string> = {
  surface: '--tw-surface',
  grid: '--tw-grid',
  border: '--tw-border',
  divider: '--tw-border-strong',
  text: '--tw-text-3',
  up: '--tw-candle-up',
  upSoft: '--tw-up-soft',
  down: '--tw-candle-down',
  downSoft: '--tw-down-soft',
  accent: '--tw-accent',
  shade: '--tw-session-shade',
  info: '--tw-info',
  warning: '--tw-warning',
}

export function readColors(): ChartColors {
  const style = getComputedStyle(document.documentElement)
  const entries = Object.entries(VARIABLES).map(([name, variable]) => [
    name,
    style.getPropertyValue(variable).trim(),
  ])
  return Object.fromEntries(entries) as ChartColors
}

/** Told apart in both schemes and by most colour-blind people; order matters, the first are used most. */
export const LINE_COLORS = ['#f0a53a', '#6f9bff', '#c678e8', '#38b6c9', '#e0719e', '#8fb339'] as const

export const lineColor = (index: number): string => LINE_COLORS[index % LINE_COLORS.length] ?? '#f0a53a'

export function chartOptions(colors: ChartColors): DeepPartial<ChartOptions> {
  return {
    layout: {
      background: { type: ColorType.Solid, color: colors.surface },
      textColor: colors.text,
      fontFamily: "'Inter Variable', system-ui, sans-serif",
      fontSize: 11,
      // The attribution stands in Settings, About.
      attributionLogo: false,
      panes: { separatorColor: colors.border, separatorHoverColor: colors.shade },
    },
    grid: { vertLines: { color: colors.grid }, horzLines: { color: colors.grid } },
    rightPriceScale: { borderColor: colors.border },
    timeScale: { borderColor: colors.border, timeVisible: true, secondsVisible: false, rightOffset: 4 },
    crosshair: {
      mode: CrosshairMode.Normal,
      vertLine: { color: colors.text, labelBackgroundColor: colors.border },
      horzLine: { color: colors.text, labelBackgroundColor: colors.border },
    },
  }
}
