/** The dark squares of a QR code as one SVG path, a run of each row at a time. */

export function pathOf(rows: readonly (readonly boolean[])[]): string {
  const parts: string[] = []
  rows.forEach((row, y) => {
    let start = -1
    for (let x = 0; x <= row.length; x += 1) {
      const isDark = row[x] === true
      if (isDark && start < 0) start = x
      if (!isDark && start >= 0) {
        parts.push(`M${String(start)} ${String(y)}h${String(x - start)}v1h${String(start - x)}z`)
        start = -1
      }
    }
  })
  return parts.join('')
}
