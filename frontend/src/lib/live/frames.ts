/** Runs work at most once a frame, however often it is asked for. */

export function oncePerFrame(work: () => void): () => void {
  let isWaiting = false
  return () => {
    if (isWaiting) return
    isWaiting = true
    requestAnimationFrame(() => {
      isWaiting = false
      work()
    })
  }
}

/** Runs work soon, then at most every `everyMs`; nothing asked for in between is lost. */
export function atMostEvery(everyMs: number, work: () => void): () => void {
  let timer: ReturnType<typeof setTimeout> | undefined
  let lastAt = -Infinity
  return () => {
    if (timer !== undefined) return
    const wait = Math.max(0, lastAt + everyMs - performance.now())
    timer = setTimeout(() => {
      timer = undefined
      lastAt = performance.now()
      work()
    }, wait)
  }
}
