import { afterEach, beforeEach, expect, test, vi } from 'vitest'
import { LiveSocket } from './socket'

class FakeServer {
  sockets: FakeConnection[] = []
  open = () => {
    const socket = new FakeConnection()
    this.sockets.push(socket)
    return socket
  }
  get latest(): FakeConnection {
    const socket = this.sockets.at(-1)
    if (!socket) throw new Error('nobody connected')
    return socket
  }
}

class FakeConnection {
  readyState = 0
  sent: Record<string, unknown>[] = []
  onopen: (() => void) | null = null
  onmessage: ((event: { data: unknown }) => void) | null = null
  onclose: ((event: { code: number }) => void) | null = null
  send = (text: string) => this.sent.push(JSON.parse(text) as Record<string, unknown>)
  close = () => this.drop()
  accept() {
    this.readyState = 1
    this.onopen?.()
  }
  say(body: object) {
    this.onmessage?.({ data: JSON.stringify(body) })
  }
  drop(code = 1006) {
    this.readyState = 3
    this.onclose?.({ code })
  }
}

const filled = (seq: number) => ({
  topic: 'events',
  stream: 'account:1',
  seq,
  type: 'order_filled',
  at: '2026-03-05T14:00:00Z',
  data: {},
})

let server: FakeServer
let live: LiveSocket

beforeEach(() => {
  vi.useFakeTimers()
  server = new FakeServer()
  live = new LiveSocket({ url: 'ws://test/ws', open: server.open, random: () => 0.5 })
})
afterEach(() => vi.useRealTimers())

test('subscribes to what was asked for before it was open', () => {
  live.subscribe('events', vi.fn())
  live.connect()
  server.latest.accept()
  expect(server.latest.sent).toEqual([{ op: 'subscribe', topics: ['events'], from: {} }])
})

test('hands a message to the listeners of its topic only', () => {
  const events = vi.fn()
  const quotes = vi.fn()
  live.subscribe('events', events)
  live.subscribe('quotes:AAPL', quotes)
  live.connect()
  server.latest.accept()
  server.latest.say(filled(7))
  expect(events).toHaveBeenCalledOnce()
  expect(quotes).not.toHaveBeenCalled()
})

test('resumes by seq after the connection broke', () => {
  live.subscribe('events', vi.fn())
  live.connect()
  server.latest.accept()
  server.latest.say(filled(41))
  server.latest.drop()
  expect(live.getState().status).toBe('closed')
  vi.advanceTimersByTime(300)
  server.latest.accept()
  expect(server.sockets).toHaveLength(2)
  expect(server.latest.sent[0]).toEqual({ op: 'subscribe', topics: ['events'], from: { 'account:1': 41 } })
})

test('asks for everything again when it comes back', () => {
  const resync = vi.fn()
  live.onResync(resync)
  live.connect()
  server.latest.accept()
  expect(resync).not.toHaveBeenCalled()
  server.latest.drop()
  vi.advanceTimersByTime(300)
  server.latest.accept()
  expect(resync).toHaveBeenCalledOnce()
})

test('waits longer after each failure and remembers since when', () => {
  vi.setSystemTime(1_000_000)
  live.connect()
  server.latest.drop()
  for (const delay of [250, 500, 1000]) {
    vi.advanceTimersByTime(delay - 1)
    const before = server.sockets.length
    vi.advanceTimersByTime(1)
    expect(server.sockets).toHaveLength(before + 1)
    server.latest.drop()
  }
  expect(live.getState().lostAt).toBe(1_000_000)
})

test('does not knock again when the session is gone', () => {
  live.connect()
  server.latest.accept()
  server.latest.drop(4401)
  vi.advanceTimersByTime(60_000)
  expect(server.sockets).toHaveLength(1)
  expect(live.getState().isRefused).toBe(true)
})

test('closes a connection that has gone silent', () => {
  live.connect()
  server.latest.accept()
  vi.advanceTimersByTime(45_000)
  expect(live.getState().status).toBe('closed')
})

test('unsubscribes when the last listener leaves', () => {
  const first = live.subscribe('quotes:AAPL', vi.fn())
  const second = live.subscribe('quotes:AAPL', vi.fn())
  live.connect()
  server.latest.accept()
  first()
  expect(server.latest.sent).toHaveLength(1)
  second()
  expect(server.latest.sent.at(-1)).toEqual({ op: 'unsubscribe', topics: ['quotes:AAPL'] })
})
