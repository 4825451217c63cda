/** A QR code drawn here: the secret goes to no service that draws pictures. */
import { useMemo } from 'react'
import { encode } from 'uqr'
import { pathOf } from './qr-path'
import styles from './SecondFactor.module.css'

export default function QrCode({ text, label }: { text: string; label: string }) {
  const { size, path } = useMemo(() => {
    const code = encode(text, { ecc: 'M', border: 3 })
    return { size: code.size, path: pathOf(code.data) }
  }, [text])
  return (
    <svg
      className={styles.qr}
      viewBox={`0 0 ${String(size)} ${String(size)}`}
      shapeRendering="crispEdges"
      role="img"
      aria-label={label}
    >
      <path d={path} fill="#000" />
    </svg>
  )
}
