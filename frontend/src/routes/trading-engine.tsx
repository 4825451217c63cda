/** The engine: status, alerts, configuration, event history, and the controls of last resort. */
import { Button, Tabs } from '@mantine/core'
import { createLazyRoute, getRouteApi } from '@tanstack/react-router'
import { Page } from '@/components/Page'
import { Panel } from '@/components/Panel'
import { ArmingPanel } from '@/features/arming/ArmingPanel'
import { ConfigPanel } from '@/features/config/ConfigPanel'
import { EventBusPanel } from '@/features/event-bus/EventBusPanel'
import { JobsTable } from '@/features/jobs/JobsTable'
import { BrokerPanel } from '@/features/reconciliation/BrokerPanel'
import { AlertRules } from '@/features/trading-engine/AlertRules'
import { AlertsTable } from '@/features/trading-engine/AlertsTable'
import { ErrorsTable } from '@/features/trading-engine/ErrorsTable'
import { EventDrawer } from '@/features/trading-engine/EventDrawer'
import { EventHistory } from '@/features/trading-engine/EventHistory'
import { TradingEngineStatus } from '@/features/trading-engine/TradingEngineStatus'
import type { EventFilter } from '@/lib/api/types'
import { useSince } from '@/lib/since'
import { useChosenInView } from '@/lib/use-in-view'
import { asText, useUrlState } from '@/lib/url-state'
import styles from './trading-engine.module.css'

/** Everything but bars and ticks of the clock. */
const NOTABLE: NonNullable<EventFilter['priority']> = ['normal', 'high', 'critical']

const page = getRouteApi('/frame/trading-engine')

function TradingEnginePage() {
  const { tab = 'status', event, alert, view, key, metric, error, job, letter, ...search } = page.useSearch()
  const change = useUrlState()
  const strip = useChosenInView(tab)
  const start = useSince(search.since)
  // Whoever asks for something particular gets all of it; otherwise bars would bury the rest.
  const isNarrow = [search.type, search.priority, search.correlation].some((each) => each !== undefined)
  const isNoisy = isNarrow || search.whole === true
  return (
    <Page
      fills
      title="Engine"
      lead="What decides and sends: its health, its settings, and everything it ever did."
    >
      <Tabs
        value={tab}
        onChange={(next) => change({ tab: next ?? undefined, view: undefined })}
        keepMounted={false}
        classNames={{ root: styles.root, panel: styles.panel, list: styles.list }}
      >
        <Tabs.List mb="sm" ref={strip}>
          <Tabs.Tab value="status">Status</Tabs.Tab>
          <Tabs.Tab value="alerts">Alerts</Tabs.Tab>
          <Tabs.Tab value="config">Configuration</Tabs.Tab>
          <Tabs.Tab value="events">Event history</Tabs.Tab>
          <Tabs.Tab value="bus">Event bus</Tabs.Tab>
          <Tabs.Tab value="jobs">Jobs</Tabs.Tab>
          <Tabs.Tab value="errors">Errors</Tabs.Tab>
        </Tabs.List>
        <Tabs.Panel value="status">
          <TradingEngineStatus
            metric={metric}
            onMetric={(name) => change({ metric: name })}
            aside={<ArmingPanel />}
          >
            <BrokerPanel />
          </TradingEngineStatus>
        </Tabs.Panel>
        <Tabs.Panel value="alerts">
          {view === 'rules' ? (
            <Panel
              flush
              className="fill"
              title="What raises an alert"
              actions={
                <Button variant="subtle" onClick={() => change({ view: undefined })}>
                  Back to the alerts
                </Button>
              }
            >
              <AlertRules />
            </Panel>
          ) : (
            <Panel flush className="fill">
              <AlertsTable
                filter={{
                  state: search.state ? [search.state] : undefined,
                  severity: search.severity ? [search.severity] : undefined,
                  category: search.category,
                }}
                values={asText(search)}
                onFilter={change}
                onRules={() => change({ view: 'rules' })}
                openId={alert}
                onOpen={(id) => change({ alert: id })}
              />
            </Panel>
          )}
        </Tabs.Panel>
        <Tabs.Panel value="config">
          <Panel flush className="fill">
            <ConfigPanel
              view={view}
              openKey={key}
              group={search.group}
              source={search.source}
              onChange={change}
            />
          </Panel>
        </Tabs.Panel>
        <Tabs.Panel value="events">
          <Panel flush className="fill">
            <EventHistory
              filter={{
                type: search.type ? [search.type] : undefined,
                priority: search.priority ? [search.priority] : isNoisy ? undefined : NOTABLE,
                stream: search.stream,
                correlation_id: search.correlation,
                deployment_id: search.deployment,
                start,
              }}
              values={asText(search)}
              onFilter={change}
              isWhole={isNarrow ? null : search.whole === true}
              onWhole={(isWhole) => change({ whole: isWhole || undefined })}
              openKey={event}
              onOpen={(key) => change({ event: key })}
            />
          </Panel>
          <EventDrawer
            eventKey={event}
            onClose={() => change({ event: undefined })}
            onOpen={(key) => change({ event: key })}
            onShowChain={(correlation) => change({ event: undefined, since: undefined, correlation })}
          />
        </Tabs.Panel>
        <Tabs.Panel value="bus">
          <EventBusPanel
            letter={letter}
            onLetter={(next) => change({ letter: next })}
            onEvent={(next) => change({ tab: 'events', letter: undefined, event: next })}
          />
        </Tabs.Panel>
        <Tabs.Panel value="jobs">
          <Panel flush className="fill">
            <JobsTable openName={job} onOpen={(name) => change({ job: name })} />
          </Panel>
        </Tabs.Panel>
        <Tabs.Panel value="errors">
          <Panel flush className="fill">
            <ErrorsTable openId={error} onOpen={(fingerprint) => change({ error: fingerprint })} />
          </Panel>
        </Tabs.Panel>
      </Tabs>
    </Page>
  )
}

export const route = createLazyRoute('/frame/trading-engine')({ component: TradingEnginePage })
