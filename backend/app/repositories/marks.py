"""SQL that marks what is held at the newest bars of its account's data set; shared by the reads."""

from typing import Final

LAST_CLOSE: Final = """
  LATERAL (
    SELECT b.close, b."end" AS at
    FROM (VALUES ('1s'), ('1m'), ('5m'), ('15m'), ('1h'), ('1d')) AS f (timeframe),
      LATERAL (
        SELECT sd.close, sd."end" FROM stock_data sd
        WHERE sd.dataset = {dataset} AND sd.stock_id = {stock} AND sd.timeframe = f.timeframe
          AND sd."end" <= {until}
        ORDER BY sd.start DESC LIMIT 1
      ) b
    ORDER BY b."end" DESC LIMIT 1
  )"""
"""Close of the newest bar, whatever its timeframe: six index probes."""

MARKED: Final = f"""
  SELECT p.account_id, p.ledger, p.deployment_id, p.instrument_id, i.symbol, p.quantity,
    p.average_price, p.realized_pnl - p.commission AS realized_pnl, p.commission, p.opened_at,
    p.updated_at, i.multiplier,
    round(m.close::numeric, 8) AS market_price, m.at AS market_at,
    round(p.quantity * i.multiplier * m.close::numeric, 8) AS market_value,
    round(p.quantity * i.multiplier * (m.close::numeric - p.average_price), 8) AS unrealized_pnl
  FROM positions p
  JOIN accounts a ON a.id = p.account_id
  JOIN instruments i ON i.id = p.instrument_id
  LEFT JOIN {
    LAST_CLOSE.format(
        dataset="a.dataset",
        stock="p.instrument_id",
        until="coalesce(a.clock_at, 'infinity')",
    )
} m ON p.quantity <> 0"""
"""Every position with the newest price (NULL where there is no bar); results are net of costs."""

EQUITY: Final = """
  SELECT a.id AS account_id, a.cash + coalesce(sum(coalesce(m.market_value,
      m.quantity * m.multiplier * m.average_price)) FILTER (WHERE m.quantity <> 0), 0) AS equity,
    coalesce(sum(abs(coalesce(m.market_value, m.quantity * m.multiplier * m.average_price)))
      FILTER (WHERE m.quantity <> 0), 0) AS exposure,
    coalesce(sum(m.unrealized_pnl) FILTER (WHERE m.quantity <> 0), 0) AS unrealized_pnl,
    coalesce(sum(m.realized_pnl), 0) AS realized_pnl,
    count(*) FILTER (WHERE m.quantity <> 0) AS open_positions
  FROM accounts a LEFT JOIN marked m ON m.account_id = a.id
  GROUP BY a.id"""
"""Accounts from `marked`; what has no price counts at its average price."""
