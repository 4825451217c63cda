/** The one connection to `/ws`: subscribes, resumes by seq, and comes back by itself when it breaks. */

export interface LiveMessage {
  topic: string
  /** Journal messages carry the stream they belong to and their place in it. */
  stream?: string
  seq?: number
  type: string
  at: string
  data: Record<string, unknown>
}

export interface LiveState {
  status: 'idle' | 'connecting' | 'open' | 'closed'
  /** When the connection was lost (ms since epoch); null while it holds. */
  lostAt: number | null
  /** The server refused us: sign in again. */
  isRefused: boolean
}

type Handler = (message: LiveMessage) => void
type SocketLike = Pick<WebSocket, 'send' | 'close' | 'readyState'> & {
  onopen: (() => void) | null
  onmessage: ((event: { data: unknown }) => void) | null
  onclose: ((event: { code: number }) => void) | null
}

export interface SocketOptions {
  url: string
  open?: (url: string) => SocketLike
  now?: () => number
  random?: () => number
}

const OPEN = 1
const PING_EVERY_MS = 15_000
/** Silence for longer than this means that the connection is dead though nobody closed it. */
const SILENCE_LIMIT_MS = 40_000
const BACKOFF_MS = [250, 500, 1_000, 2_000, 5_000, 10_000] as const
const REFUSED_CODES = new Set([4401, 4403])

export class LiveSocket {
  private socket: SocketLike | null = null
  private readonly handlers = new Map<string, Set<Handler>>()
  private readonly lastSeq = new Map<string, number>()
  private readonly watchers = new Set<() => void>()
  private readonly resyncHandlers = new Set<() => void>()
  private attempt = 0
  private retryTimer: ReturnType<typeof setTimeout> | undefined
  private pingTimer: ReturnType<typeof setInterval> | undefined
  private heardAt = 0
  private state: LiveState = { status: 'idle', lostAt: null, isRefused: false }

  constructor(private readonly options: SocketOptions) {}

  readonly getState = (): LiveState => this.state

  readonly watch = (watcher: () => void): (() => void) => {
    this.watchers.add(watcher)
    return () => this.watchers.delete(watcher)
  }

  /** Called when messages may have been missed and everything shown should be asked for again. */
  onResync(handler: () => void): () => void {
    this.resyncHandlers.add(handler)
    return () => this.resyncHandlers.delete(handler)
  }

  connect(): void {
    if (this.socket) return
    clearTimeout(this.retryTimer)
    this.setState({ status: 'connecting', isRefused: false })
    const open = this.options.open ?? ((url) => new WebSocket(url) as SocketLike)
    const socket = open(this.options.url)
    this.socket = socket
    socket.onopen = () => this.handleOpen()
    socket.onmessage = (event) => this.handleMessage(event.data)
    socket.onclose = (event) => this.handleClose(socket, event.code)
  }

  disconnect(): void {
    clearTimeout(this.retryTimer)
    clearInterval(this.pingTimer)
    const socket = this.socket
    this.socket = null
    socket?.close()
    this.setState({ status: 'idle', lostAt: null })
  }

  /** Listens to a topic; the server is told at the first listener and at the last leaving one. */
  subscribe(topic: string, handler: Handler): () => void {
    const existing = this.handlers.get(topic)
    if (existing) {
      existing.add(handler)
    } else {
      this.handlers.set(topic, new Set([handler]))
      this.send({ op: 'subscribe', topics: [topic], from: this.resumePoint() })
    }
    return () => {
      const set = this.handlers.get(topic)
      set?.delete(handler)
      if (set?.size === 0) {
        this.handlers.delete(topic)
        this.send({ op: 'unsubscribe', topics: [topic] })
      }
    }
  }

  /** Everything heard so far, by stream: where a new connection starts again. */
  resumePoint(): Record<string, number> {
    return Object.fromEntries(this.lastSeq)
  }

  private send(body: Record<string, unknown>): void {
    if (this.socket?.readyState === OPEN) this.socket.send(JSON.stringify(body))
  }

  private handleOpen(): void {
    const returning = this.state.lostAt !== null
    this.attempt = 0
    this.heardAt = this.now()
    this.setState({ status: 'open', lostAt: null })
    const topics = [...this.handlers.keys()]
    if (topics.length > 0) this.send({ op: 'subscribe', topics, from: this.resumePoint() })
    clearInterval(this.pingTimer)
    this.pingTimer = setInterval(() => this.keepAlive(), PING_EVERY_MS)
    if (returning) this.resync()
  }

  private keepAlive(): void {
    if (this.now() - this.heardAt > SILENCE_LIMIT_MS) this.socket?.close()
    else this.send({ op: 'ping' })
  }

  private handleMessage(raw: unknown): void {
    this.heardAt = this.now()
    if (typeof raw !== 'string') return
    const body = JSON.parse(raw) as { op?: string } & Partial<LiveMessage>
    if (body.op === 'resync') this.resync()
    if (body.op !== undefined || body.topic === undefined) return
    const message = body as LiveMessage
    if (message.stream !== undefined && message.seq !== undefined) {
      this.lastSeq.set(message.stream, Math.max(message.seq, this.lastSeq.get(message.stream) ?? 0))
    }
    for (const handler of this.handlers.get(message.topic) ?? []) handler(message)
  }

  private handleClose(socket: SocketLike, code: number): void {
    if (socket !== this.socket) return
    this.socket = null
    clearInterval(this.pingTimer)
    const isRefused = REFUSED_CODES.has(code)
    this.setState({ status: 'closed', lostAt: this.state.lostAt ?? this.now(), isRefused })
    if (isRefused) return
    const base = BACKOFF_MS[Math.min(this.attempt, BACKOFF_MS.length - 1)] ?? 10_000
    this.attempt += 1
    // Jitter, so that a restarted server is not met by every tab in the same instant.
    const delay = base * (0.75 + 0.5 * (this.options.random ?? Math.random)())
    this.retryTimer = setTimeout(() => this.connect(), delay)
  }

  private resync(): void {
    for (const handler of this.resyncHandlers) handler()
  }

  private now(): number {
    return (this.options.now ?? Date.now)()
  }

  private setState(change: Partial<LiveState>): void {
    this.state = { ...this.state, ...change }
    for (const watcher of this.watchers) watcher()
  }
}
