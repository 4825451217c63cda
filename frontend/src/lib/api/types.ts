/** The API's schemas under the glossary's names. */
import type { components, paths } from './schema'

type Schemas = components['schemas']

export type Account = Schemas['AccountOut']
export type Alert = Schemas['AlertOut']
export type AlertDelivery = Schemas['AlertDeliveryOut']
export type AlertRule = Schemas['AlertRuleOut']
export type ApiKey = Schemas['ApiKeyOut']
export type Availability = Schemas['AvailabilityOut']
export type Bar = Schemas['BarOut']
export type Command = Schemas['CommandOut']
export type ConfigEntry = Schemas['ConfigEntryOut']
export type ControlOutcome = Schemas['ControlOut']
export type Coverage = Schemas['CoverageOut']
export type DataImport = Schemas['ImportOut']
export type DataSource = Schemas['SourceOut']
export type Decider = Schemas['DeciderOut']
export type Deployment = Schemas['DeploymentOut']
export type DeploymentWish = Schemas['DeploymentIn']
export type ErrorGroup = Schemas['ErrorOut']
export type EquityPoint = Schemas['EquityPointOut']
export type Execution = Schemas['ExecutionOut']
export type Explanation = Schemas['ExplanationOut']
export type Feed = Schemas['FeedOut']
export type Gap = Schemas['GapOut']
export type GapEvidence = Schemas['EvidenceOut']
export type GapState = Schemas['GapState']
export type Health = Schemas['HealthOut']
export type HealthStatus = Schemas['HealthStatus']
export type Indicator = Schemas['IndicatorOut']
export type IndicatorColumns = Schemas['IndicatorColumnsOut']
export type JournalEvent = Schemas['EventOut']
export type LimitUse = Schemas['LimitUseOut']
export type BrokerState = Schemas['BrokerStateOut']
export type MarketSession = Schemas['MarketSessionOut']
export type Me = Schemas['MeOut']
export type Metric = Schemas['MetricOut']
export type MetricPoint = Schemas['MetricPointOut']
export type NotificationChannel = Schemas['NotificationChannelOut']
export type Option = Schemas['OptionOut']
export type OptionChain = Schemas['OptionChainOut']
export type Order = Schemas['OrderOut']
export type OrderWish = Schemas['OrderIn']
export type OrderChange = Schemas['OrderChangeIn']
export type Performance = Schemas['PerformanceOut']
export type Position = Schemas['PositionOut']
export type Preview = Schemas['DeploymentPreviewOut']
export type QualitySummary = Schemas['QualitySummaryOut']
export type QualityTarget = Schemas['TargetOut']
export type Refused = Schemas['RefusedOut']
export type ConfigChange = Schemas['ConfigHistoryOut']
export type Role = Schemas['Role']
export type RiskCheck = Schemas['RiskCheckOut']
export type RiskViolation = Schemas['RiskViolationOut']
export type ScopedValue = Schemas['ScopedValueOut']
export type Series = Schemas['SeriesQualityOut']
export type SeriesVerdict = Schemas['SeriesVerdict']
export type SessionCoverage = Schemas['SessionCoverageOut']
export type Severity = Schemas['Severity']
export type Signal = Schemas['SignalOut']
export type Stock = Schemas['StockOut']
export type Strategy = Schemas['StrategyOut']
export type StrategyDetail = Schemas['StrategyDetailOut']
export type StrategyEvent = Schemas['StrategyEventOut']
export type SupposedOrder = Schemas['SupposedOrderOut']
export type Timeframe = Schemas['Timeframe']
export type Timeline = Schemas['TimelineOut']
export type Threshold = Schemas['ThresholdOut']
export type TimelineStep = Schemas['TimelineStepOut']
export type Trade = Schemas['TradeOut']
export type TradingState = Schemas['TradingState']
export type TradingStateNow = Schemas['TradingStateOut']
export type User = Schemas['UserOut']
export type WhatIf = Schemas['WhatIfOut']
export type WhatIfWish = Schemas['WhatIfIn']

/** What a list can be asked for, without its paging. */
type QueryOf<Path extends keyof paths> = paths[Path] extends { get: { parameters: { query?: infer Query } } }
  ? Omit<NonNullable<Query>, 'limit' | 'cursor' | 'format'>
  : never

export type OrderFilter = QueryOf<'/api/orders'>
export type ExecutionFilter = QueryOf<'/api/executions'>
export type PositionFilter = QueryOf<'/api/positions'>
export type TradeFilter = QueryOf<'/api/trades'>
export type SignalFilter = QueryOf<'/api/signals'>
export type RiskViolationFilter = QueryOf<'/api/risk-violations'>
export type DeploymentFilter = QueryOf<'/api/deployments'>
export type EventFilter = QueryOf<'/api/events'>
export type AlertFilter = QueryOf<'/api/alerts'>
export type SeriesFilter = QueryOf<'/api/data-quality'>
export type GapFilter = QueryOf<'/api/data-quality/gaps'>
export type RefusedFilter = QueryOf<'/api/data-quality/quarantine'>
export type ImportWish = NonNullable<paths['/api/imports']['post']['parameters']['query']>

export const TIMEFRAMES = ['1s', '1m', '5m', '15m', '1h', '1d'] as const satisfies readonly Timeframe[]
