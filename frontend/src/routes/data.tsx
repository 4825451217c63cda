/** Data: which series there are, where they have gaps, what was refused, and where data comes from. */
import { Tabs } from '@mantine/core'
import { useQuery } from '@tanstack/react-query'
import { createLazyRoute, getRouteApi } from '@tanstack/react-router'
import { GAP_STATES, VERDICTS } from '@/app/search'
import { Page } from '@/components/Page'
import { Panel } from '@/components/Panel'
import { FilterChips } from '@/components/table/FilterChips'
import { GapDrawer } from '@/features/data/GapDrawer'
import { GapsTable } from '@/features/data/GapsTable'
import { ImportsPanel } from '@/features/data/ImportsPanel'
import { QuarantineTable } from '@/features/data/QuarantineTable'
import { SeriesDrawer } from '@/features/data/SeriesDrawer'
import { SeriesTable } from '@/features/data/SeriesTable'
import { SourcesPanel } from '@/features/data/SourcesPanel'
import { TargetsStrip } from '@/features/data/TargetsStrip'
import { REASONS } from '@/features/data/reasons'
import { GAP_WORDS, VERDICT_WORDS } from '@/features/data/words'
import { dataQuality } from '@/lib/api/data-quality'
import { TIMEFRAMES } from '@/lib/api/types'
import { useChoices } from '@/lib/choices'
import { formatName } from '@/lib/format'
import { asText, useUrlState } from '@/lib/url-state'
import styles from './data.module.css'

const page = getRouteApi('/frame/data')

const ALL_VERDICTS = VERDICTS.map((value) => ({ value, label: VERDICT_WORDS[value].label }))
const ALL_STATES = GAP_STATES.map((value) => ({ value, label: GAP_WORDS[value].label }))
const ALL_TIMEFRAMES = TIMEFRAMES.map((value) => ({ value, label: value }))
const ALL_KINDS = ['bar', 'tick', 'quote', 'option'].map((value) => ({ value, label: formatName(value) }))

function useFilters() {
  const { symbols } = useChoices()
  const { data } = useQuery(dataQuality.summary(undefined))
  return {
    dataset: {
      key: 'dataset',
      label: 'Data set',
      choices: data?.datasets.map((value) => ({ value, label: value })) ?? [],
    },
    symbol: { key: 'symbol', label: 'Symbol', suggestions: symbols },
    timeframe: { key: 'timeframe', label: 'Bars of', choices: ALL_TIMEFRAMES },
    verdict: { key: 'verdict', label: 'Verdict', choices: ALL_VERDICTS },
    state: { key: 'state', label: 'State', choices: ALL_STATES },
    kind: { key: 'kind', label: 'Kind', choices: ALL_KINDS },
    reason: {
      key: 'reason',
      label: 'Rule',
      choices: REASONS.map((value) => ({ value, label: formatName(value) })),
    },
  }
}

function DataPage() {
  const { tab = 'series', series, year, gap, refused, import: importId, ...search } = page.useSearch()
  const change = useUrlState()
  const filters = useFilters()
  const values = asText(search)
  const symbol = search.symbol === undefined ? undefined : [search.symbol.toUpperCase()]
  const where = { dataset: search.dataset, symbol, timeframe: search.timeframe }
  const gapFilter = { ...where, state: search.state ? [search.state] : undefined }
  const openSeries = (key: string | undefined) => change({ series: key, year: undefined, gap: undefined })
  return (
    <Page fills title="Data" lead="Every series that is stored: how whole, how fresh, how believable.">
      <TargetsStrip
        dataset={search.dataset}
        verdict={tab === 'series' ? search.verdict : undefined}
        onChoose={(verdict) => change({ tab: undefined, verdict })}
      />
      <Tabs
        value={tab}
        onChange={(next) => change({ tab: next === 'series' ? undefined : next })}
        keepMounted={false}
        classNames={{ root: styles.root, panel: styles.panel, list: styles.list }}
      >
        <Tabs.List mb="sm">
          <Tabs.Tab value="series">Series</Tabs.Tab>
          <Tabs.Tab value="gaps">Gaps</Tabs.Tab>
          <Tabs.Tab value="quarantine">Quarantine</Tabs.Tab>
          <Tabs.Tab value="sources">Sources</Tabs.Tab>
          <Tabs.Tab value="imports">Imports</Tabs.Tab>
        </Tabs.List>
        <Tabs.Panel value="series">
          <Panel flush className="fill">
            <SeriesTable
              filter={{ ...where, verdict: search.verdict ? [search.verdict] : undefined }}
              filters={
                <FilterChips
                  filters={[filters.dataset, filters.symbol, filters.timeframe, filters.verdict]}
                  values={values}
                  onChange={change}
                />
              }
              openKey={series}
              onOpen={openSeries}
              onImport={() => change({ tab: 'imports' })}
            />
          </Panel>
        </Tabs.Panel>
        <Tabs.Panel value="gaps">
          <Panel flush className="fill">
            <GapsTable
              filter={gapFilter}
              filters={
                <FilterChips
                  filters={[filters.dataset, filters.symbol, filters.timeframe, filters.state]}
                  values={values}
                  onChange={change}
                />
              }
              openId={gap}
              onOpen={({ id }) => change({ gap: id })}
            />
          </Panel>
          <GapDrawer
            gapId={gap}
            filter={gapFilter}
            onClose={() => change({ gap: undefined })}
            onOpenSeries={openSeries}
          />
        </Tabs.Panel>
        <Tabs.Panel value="quarantine">
          <Panel flush className="fill">
            <QuarantineTable
              filter={{ dataset: search.dataset, symbol, kind: search.kind, reason: search.reason }}
              filters={
                <FilterChips
                  filters={[filters.dataset, filters.symbol, filters.kind, filters.reason]}
                  values={values}
                  onChange={change}
                />
              }
              openId={refused}
              onOpen={(id) => change({ refused: id })}
            />
          </Panel>
        </Tabs.Panel>
        <Tabs.Panel value="sources">
          <SourcesPanel />
        </Tabs.Panel>
        <Tabs.Panel value="imports">
          <ImportsPanel
            openId={importId}
            onOpen={(id) => change({ import: id })}
            onShowSeries={(dataset) => change({ tab: undefined, dataset, import: undefined })}
          />
        </Tabs.Panel>
      </Tabs>
      <SeriesDrawer
        name={series}
        year={year}
        onYear={(next) => change({ year: next })}
        onClose={() => openSeries(undefined)}
      />
    </Page>
  )
}

export const route = createLazyRoute('/frame/data')({ component: DataPage })
