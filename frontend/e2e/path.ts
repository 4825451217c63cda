/** Deploy a strategy on a replay, see its fill on the chart, stop everything, see that nothing more is ordered. */
import { expect, test } from '@playwright/test'
import { baseUrl, marketMinutes, orderIds } from './product'

test('a strategy trades until somebody holds the emergency stop', async ({ page }) => {
  await test.step('deploy sma_cross, prefilled', async () => {
    await page.goto(`${baseUrl()}/deployments?deploy=sma_cross`)
    await expect(page.getByText(/bars, first opinion after \d+/)).toBeVisible()
    await page.getByRole('textbox', { name: 'Fast' }).fill('5')
    await page.getByRole('textbox', { name: 'Slow' }).fill('15')
    await expect(page.getByText(/first opinion after 15/)).toBeVisible()
    await page.getByRole('button', { name: 'Deploy on paper' }).click()
    await expect(page).toHaveURL(/\/deployments\/\d+/)
    await expect(page.getByRole('heading', { name: 'sma_cross on SPY' })).toBeVisible()
    await expect(page.getByText('Running', { exact: true })).toBeVisible()
  })

  await test.step('see a fill on the chart', async () => {
    const chart = page.getByRole('img', { name: /bars of 1m/ })
    await expect(chart).toHaveAttribute('data-marks', /[1-9]/, { timeout: 60_000 })
  })

  await test.step('see why the order was made', async () => {
    await page.getByRole('tab', { name: 'Orders' }).click()
    await page
      .getByRole('row')
      .filter({ hasText: /Buy.*Filled/ })
      .first()
      .click()
    const drawer = page.getByRole('dialog')
    await expect(drawer.getByText(/risk check/)).toBeVisible()
    await expect(drawer.getByText('Accepted by the broker')).toBeVisible()
    await page.keyboard.press('Escape')
  })

  await test.step('a short press does nothing', async () => {
    await page.getByRole('button', { name: /^Emergency stop/ }).click()
    await expect(page.getByText(/Trading halted/)).toHaveCount(0)
  })

  await test.step('hold the emergency stop', async () => {
    await page.keyboard.down('Shift')
    await page.keyboard.down('Escape')
    await expect(page.getByRole('alert').filter({ hasText: 'Trading halted by' })).toBeVisible()
    await page.keyboard.up('Escape')
    await page.keyboard.up('Shift')
  })

  await test.step('no new order while the market goes on', async () => {
    const before = await orderIds(page)
    const stoppedAt = await marketMinutes(page)
    // Long enough for the averages to cross several times.
    await expect.poll(() => marketMinutes(page), { timeout: 60_000 }).toBeGreaterThan(stoppedAt + 150)
    expect(await orderIds(page)).toEqual(before)
  })
})
