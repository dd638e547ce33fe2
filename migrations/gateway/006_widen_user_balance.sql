-- Costs have ten decimals, balances had eight: charges below 5e-9 vanished, and balance and ledger drifted apart.
--
-- +tombstone waive L201: from numeric(20,8) to numeric(22,10) every value keeps its digits; users is small enough to be rewritten

-- +goose Up
ALTER TABLE users ALTER COLUMN balance TYPE numeric(22,10);

-- +goose Down
-- Refused while a balance uses the two decimals that would be cut: money is not rounded away. Locked first, or a charge
-- between the check and the change would be.
LOCK TABLE users IN ACCESS EXCLUSIVE MODE;
-- +goose StatementBegin
DO $$
BEGIN
  IF EXISTS (SELECT FROM users WHERE balance <> round(balance, 8)) THEN
    RAISE EXCEPTION 'some balances have more than 8 decimals and would be rounded; settle them before reverting';
  END IF;
END
$$;
-- +goose StatementEnd
ALTER TABLE users ALTER COLUMN balance TYPE numeric(20,8);
