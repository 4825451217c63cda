/** Typed examples of what the API answers; a test names only the values that matter to it. */
import type {
  Account,
  Deployment,
  Execution,
  Order,
  Position,
  RiskCheck,
  Signal,
  Timeline,
} from '@/lib/api/types'

const AT = '2026-03-05T14:31:00Z'

export const createAccount = (change: Partial<Account> = {}): Account => ({
  id: 1,
  name: 'Simulation',
  broker: 'paper',
  mode: 'paper',
  dataset: 'simulated',
  is_simulated: true,
  currency: 'USD',
  trading_state: 'active',
  engine: { is_running: true },
  initial_cash: '100000',
  cash: '60000',
  equity: '104212.4',
  buying_power: '40000',
  day_pnl: '1236.1',
  day_pnl_fraction: '0.012',
  realized_pnl: '900',
  unrealized_pnl: '336.1',
  exposure: '43769',
  exposure_fraction: '0.42',
  peak_equity: '105000',
  drawdown: '0.0075',
  open_orders: 2,
  open_positions: 3,
  running_deployments: 2,
  market_at: AT,
  ...change,
})

export const createOrder = (change: Partial<Order> = {}): Order => ({
  client_order_id: '1-d3-entry-1',
  account_id: 1,
  ledger: 'd3',
  deployment_id: 3,
  strategy: 'sma_cross',
  symbol: 'SPY',
  side: 'buy',
  type: 'market',
  leg: 'entry',
  quantity: '20',
  filled_quantity: '0',
  remaining_quantity: '20',
  time_in_force: 'day',
  status: 'accepted',
  pending: 'none',
  is_open: true,
  attempt: 1,
  at: AT,
  ...change,
})

export const createExecution = (change: Partial<Execution> = {}): Execution => ({
  id: 1,
  execution_id: '1-d3-entry-1-1',
  broker: 'paper',
  account_id: 1,
  client_order_id: '1-d3-entry-1',
  ledger: 'd3',
  deployment_id: 3,
  symbol: 'SPY',
  side: 'buy',
  quantity: '20',
  price: '601.2',
  commission: '1',
  at: AT,
  ...change,
})

export const createPosition = (change: Partial<Position> = {}): Position => ({
  account_id: 1,
  ledger: 'd3',
  deployment_id: 3,
  symbol: 'SPY',
  quantity: '20',
  average_price: '601.2',
  realized_pnl: '0',
  commission: '1',
  ...change,
})

export const createSignal = (change: Partial<Signal> = {}): Signal => ({
  signal_id: 'd3:SPY:1',
  account_id: 1,
  ledger: 'd3',
  deployment_id: 3,
  strategy: 'sma_cross',
  symbol: 'SPY',
  signal_type: 'long',
  exposure: 1,
  price: 601.2,
  reasons: ['fast mean crossed above the slow one'],
  indicator_values: { sma_fast: 601.3, sma_slow: 600.9 },
  executed: false,
  outcome: 'order',
  at: AT,
  ...change,
})

export const createCheck = (change: Partial<RiskCheck> = {}): RiskCheck => ({
  rule: 'position_limit',
  passed: true,
  value: '0.031',
  limit: '0.05',
  ...change,
})

export const createDeployment = (change: Partial<Deployment> = {}): Deployment => ({
  id: 3,
  account_id: 1,
  strategy: 'sma_cross',
  parameters: { fast: 10, slow: 30 },
  symbols: ['SPY', 'IBM'],
  timeframe: '1m',
  state: 'running',
  ledger: 'd3',
  created_at: AT,
  realized_pnl: '0',
  unrealized_pnl: '0',
  trades: 0,
  open_positions: 0,
  ...change,
})

export const createTimeline = (change: Partial<Timeline> = {}): Timeline => ({
  order: createOrder(),
  signal: createSignal(),
  timeframe: '1m',
  bars: [],
  indicator_values: { sma_fast: 601.3, sma_slow: 600.9 },
  checks: [createCheck()],
  limited_by: [],
  steps: [],
  executions: [],
  ...change,
})
