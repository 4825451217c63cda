/** What jsdom lacks and the components need. */
import '@testing-library/jest-dom/vitest'
import { cleanup, configure } from '@testing-library/react'
import { afterEach, vi } from 'vitest'

afterEach(cleanup)

// Parts that load lazily take longer than a second on a busy machine; what never comes still fails.
configure({ asyncUtilTimeout: 10_000 })

const matchMedia = (query: string) => ({
  matches: false,
  media: query,
  onchange: null,
  addEventListener: vi.fn(),
  removeEventListener: vi.fn(),
  dispatchEvent: () => false,
})
Object.defineProperty(window, 'matchMedia', { value: matchMedia })

class Observer {
  observe = vi.fn()
  unobserve = vi.fn()
  disconnect = vi.fn()
}
window.ResizeObserver = Observer
Element.prototype.scrollIntoView = vi.fn()

// jsdom lays nothing out; lists that draw only what is in view need a view.
Object.defineProperty(Element.prototype, 'clientHeight', { configurable: true, value: 640 })
Object.defineProperty(Element.prototype, 'clientWidth', { configurable: true, value: 800 })

window.scrollTo = () => undefined
Object.defineProperty(window, 'PointerEvent', { value: MouseEvent })
