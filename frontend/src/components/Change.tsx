/** A figure that went up or down: sign and arrow as well as colour, since some people see no difference in hue. */
import { type Numeric, directionOf, formatFigure, formatPercent } from '@/lib/format'

interface ChangeProps {
  value: Numeric
  /** The value is a fraction: show it as a percentage. */
  percent?: boolean
  decimals?: number
  arrow?: boolean
}

const ARROWS = { up: '▲', down: '▼', flat: '' } as const

export function Change({ value, percent = false, decimals = 2, arrow = false }: ChangeProps) {
  const direction = directionOf(value)
  const format = percent ? formatPercent : formatFigure
  return (
    <span className={direction === 'flat' ? 'dim' : direction}>
      {arrow && direction !== 'flat' && (
        <span aria-hidden style={{ fontSize: '0.7em', marginInlineEnd: '0.35em' }}>
          {ARROWS[direction]}
        </span>
      )}
      {format(value, { decimals, signed: true })}
    </span>
  )
}
