-- Promo codes are given in any case, and one index answers for all of them. Stored codes go to upper case.
--
-- Refused while two codes differ in case only, because somebody must decide which of them stays. They are listed by
--   SELECT upper(code), array_agg(id ORDER BY id) AS ids, array_agg(used_count ORDER BY id) AS uses
--   FROM promo_codes GROUP BY upper(code) HAVING count(*) > 1;
-- Rename or delete all but one of each line, and run the migrations again.
--
-- +tombstone waive L101: between the report and the index no code may come, and the table is as small as administrators make it
-- +tombstone waive L516: reviewed: the block only reads, and raises when codes differ in case only
-- +tombstone loses=promo_codes.code: the case of the letters does not come back; the code is found by any
-- +tombstone loses=promo_codes.updated_at: a row whose code was folded was written then

-- +goose Up
-- Readers go on, and redemptions wait for one statement over a small table.
LOCK TABLE promo_codes IN SHARE ROW EXCLUSIVE MODE;

-- +goose StatementBegin
DO $$
DECLARE
  texts bigint;
  codes bigint;
BEGIN
  SELECT count(*), coalesce(sum(n), 0) INTO texts, codes
  FROM (SELECT count(*) AS n FROM promo_codes GROUP BY upper(code) HAVING count(*) > 1) AS twice;
  IF texts > 0 THEN
    RAISE EXCEPTION '% promo codes are % texts in different cases; the comment of this file lists them, rename or delete all but one of each', codes, texts;
  END IF;
END
$$;
-- +goose StatementEnd

UPDATE promo_codes SET code = upper(code), updated_at = now() WHERE code <> upper(code);

CREATE UNIQUE INDEX promo_codes_code_unique_upper ON promo_codes (upper(code));

-- +goose Down
DROP INDEX promo_codes_code_unique_upper;
