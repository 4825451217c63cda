/** The one-time token of the first run: taken out of the address bar before anything else sees it. */

let token: string | null = null

/** Moves `?token=` from the URL to memory, so that it is neither shown, bookmarked nor sent on. */
export function takeTokenFromUrl(
  location: Location = window.location,
  history: History = window.history,
): void {
  const url = new URL(location.href)
  const found = url.searchParams.get('token')
  if (found === null) return
  token = found
  url.searchParams.delete('token')
  history.replaceState(history.state, '', url.pathname + url.search + url.hash)
}

export const firstRunToken = (): string | null => token

export function forgetFirstRunToken(): void {
  token = null
}
