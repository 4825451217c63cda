/** Strategies: the catalogue, with parameters, source and the way to deploy. */
import { createLazyRoute, getRouteApi, useNavigate } from '@tanstack/react-router'
import { Page } from '@/components/Page'
import { StrategyCatalogue } from '@/features/strategies/StrategyCatalogue'
import { StrategyDrawer } from '@/features/strategies/StrategyDrawer'
import { useUrlState } from '@/lib/url-state'

const page = getRouteApi('/frame/strategies')

function StrategiesPage() {
  const { strategy } = page.useSearch()
  const change = useUrlState()
  const navigate = useNavigate()
  return (
    <Page
      title="Strategies"
      lead="Pure rules: bars in, wanted exposure out. Your own appear here too: “tradewright strategy new NAME”."
    >
      <StrategyCatalogue onOpen={(name) => change({ strategy: name })} />
      <StrategyDrawer
        name={strategy}
        onClose={() => change({ strategy: undefined })}
        onDeploy={(name) => void navigate({ to: '/deployments', search: { deploy: name } })}
      />
    </Page>
  )
}

export const route = createLazyRoute('/frame/strategies')({ component: StrategiesPage })
