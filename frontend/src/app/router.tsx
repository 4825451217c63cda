/** Every page with its address and the state it keeps there. Pages are loaded when they are opened. */
import { createRootRoute, createRoute, createRouter, redirect } from '@tanstack/react-router'
import { auth } from '@/lib/api/auth'
import { firstRunToken } from '@/lib/first-run-token'
import { Frame } from './frame/Frame'
import { NotFound } from './NotFound'
import { PageError } from './PageError'
import { queryClient } from './query-client'
import * as search from './search'

const root = createRootRoute({ notFoundComponent: NotFound, errorComponent: PageError })

const signIn = createRoute({
  getParentRoute: () => root,
  path: '/sign-in',
  validateSearch: search.signIn,
}).lazy(() => import('@/routes/sign-in').then((page) => page.route))
const signUp = createRoute({ getParentRoute: () => root, path: '/sign-up' }).lazy(() =>
  import('@/routes/sign-up').then((page) => page.route),
)

const frame = createRoute({
  getParentRoute: () => root,
  id: 'frame',
  component: Frame,
  async beforeLoad({ location }) {
    const me = await queryClient.query({ ...auth.me(), staleTime: 'static' })
    if (me) return
    const { needs_sign_up } = await queryClient.query(auth.state())
    // The router understands a thrown redirect; it is not an error.
    // eslint-disable-next-line @typescript-eslint/only-throw-error
    if (needs_sign_up || firstRunToken() !== null) throw redirect({ to: '/sign-up' })
    const next = location.href === '/' ? undefined : location.href
    // eslint-disable-next-line @typescript-eslint/only-throw-error
    throw redirect({ to: '/sign-in', search: { next } })
  },
})

const inFrame = { getParentRoute: () => frame }

const dashboard = createRoute({ ...inFrame, path: '/' }).lazy(() =>
  import('@/routes/dashboard').then((page) => page.route),
)
const market = createRoute({ ...inFrame, path: '/market', validateSearch: search.market }).lazy(() =>
  import('@/routes/market').then((page) => page.route),
)
const orders = createRoute({ ...inFrame, path: '/orders', validateSearch: search.orders }).lazy(() =>
  import('@/routes/orders').then((page) => page.route),
)
const executions = createRoute({ ...inFrame, path: '/executions', validateSearch: search.executions }).lazy(
  () => import('@/routes/executions').then((page) => page.route),
)
const positions = createRoute({ ...inFrame, path: '/positions', validateSearch: search.positions }).lazy(() =>
  import('@/routes/positions').then((page) => page.route),
)
const trades = createRoute({ ...inFrame, path: '/trades', validateSearch: search.trades }).lazy(() =>
  import('@/routes/trades').then((page) => page.route),
)
const signals = createRoute({ ...inFrame, path: '/signals', validateSearch: search.signals }).lazy(() =>
  import('@/routes/signals').then((page) => page.route),
)
const strategies = createRoute({ ...inFrame, path: '/strategies', validateSearch: search.strategies }).lazy(
  () => import('@/routes/strategies').then((page) => page.route),
)
const deployments = createRoute({
  ...inFrame,
  path: '/deployments',
  validateSearch: search.deployments,
}).lazy(() => import('@/routes/deployments').then((page) => page.route))
const deployment = createRoute({
  ...inFrame,
  path: '/deployments/$deploymentId',
  validateSearch: search.deployment,
}).lazy(() => import('@/routes/deployment').then((page) => page.route))
const tradingEngine = createRoute({
  ...inFrame,
  path: '/trading-engine',
  validateSearch: search.tradingEngine,
}).lazy(() => import('@/routes/trading-engine').then((page) => page.route))
const risk = createRoute({ ...inFrame, path: '/risk', validateSearch: search.risk }).lazy(() =>
  import('@/routes/risk').then((page) => page.route),
)
const data = createRoute({ ...inFrame, path: '/data', validateSearch: search.data }).lazy(() =>
  import('@/routes/data').then((page) => page.route),
)
const settings = createRoute({ ...inFrame, path: '/settings', validateSearch: search.settings }).lazy(() =>
  import('@/routes/settings').then((page) => page.route),
)

export const router = createRouter({
  routeTree: root.addChildren([
    signIn,
    signUp,
    frame.addChildren([
      dashboard,
      market,
      orders,
      executions,
      positions,
      trades,
      signals,
      strategies,
      deployments,
      deployment,
      tradingEngine,
      risk,
      data,
      settings,
    ]),
  ]),
  defaultPreload: 'intent',
  scrollRestoration: true,
})

declare module '@tanstack/react-router' {
  interface Register {
    router: typeof router
  }
}
