/** The risk page: limits of parts, why nothing was traded, and what other limits would have done. */
import { expect, test } from '@playwright/test'
import { baseUrl, marketMinutes, seriousFindings } from './product'

test('a person tightens a symbol, explains a moment and supposes other limits', async ({ page }) => {
  await page.goto(`${baseUrl()}/risk`)
  await expect(page.getByRole('heading', { name: 'Risk', level: 1 })).toBeVisible()
  const from = await marketMinutes(page)
  await expect.poll(() => marketMinutes(page), { timeout: 60_000 }).toBeGreaterThan(from + 40)

  await test.step('a symbol gets a limit of its own, and loses it again', async () => {
    await page.getByLabel('Scope').fill('symbol:SPY')
    await page.getByLabel('At most').fill('2 %')
    await page.getByRole('button', { name: 'Tighten' }).click()
    const row = page.getByRole('listitem').filter({ hasText: 'symbol:SPY' })
    await expect(row).toContainText('2')
    await page.screenshot({ path: 'test-results/risk-scopes.png' })
    await row.getByRole('button', { name: /^Remove/ }).click()
    await expect(row).toHaveCount(0)
  })

  await test.step('the stored facts of a moment', async () => {
    await page.getByRole('button', { name: 'Explain a moment' }).click()
    const drawer = page.getByRole('dialog')
    await drawer.getByLabel('Symbol').fill('SPY')
    await drawer.getByRole('button', { name: 'Explain' }).click()
    await expect(drawer.getByText(/^Deployment \d+ \(/).first()).toBeVisible()
    await expect(drawer.getByText('Seen by then')).toBeVisible()
    expect(await seriousFindings(page)).toEqual([])
    await page.screenshot({ path: 'test-results/risk-explain.png' })
    await drawer.getByRole('button', { name: 'Close' }).click()
  })

  await test.step('orders that other limits would have cut', async () => {
    await page.getByRole('button', { name: 'What if…' }).click()
    const drawer = page.getByRole('dialog')
    await drawer.getByLabel('Would be').fill('1 %')
    await drawer.getByRole('button', { name: 'Replay with it' }).click()
    await expect(drawer.getByRole('status')).toContainText('orders were asked for', { timeout: 60_000 })
    expect(await seriousFindings(page)).toEqual([])
    await page.screenshot({ path: 'test-results/risk-what-if.png' })
  })
})
