"""The functions that a rule's query may call, by what they work on.

Everything else is refused: what reads files, the environment, settings or the catalog, what waits or allocates
without bound, and what gives another answer on every call. Operators count as functions in DuckDB's own tree.
"""

from __future__ import annotations


def _names(text: str) -> frozenset[str]:
    return frozenset(text.split())


OPERATORS = _names("+ - * / // % & | ~ << >> || ~~ !~~ ~~* !~~* ~~~ ->> @> <@ && ^@")

NUMBERS = _names("""
    abs ceil ceiling exp floor greatest least ln log log10 log2 mod pow power round round_even sign sqrt trunc
    isfinite isinf isnan hash
""")

TEXT = _names("""
    concat concat_ws contains ends_with format instr lcase left length len lower ltrim md5 position prefix
    printf regexp_extract regexp_full_match regexp_matches regexp_replace replace reverse right rtrim sha256
    split_part starts_with str_split string_split strlen strpos substr substring suffix translate trim ucase
    upper like_escape ilike_escape not_like_escape not_ilike_escape
""")

TIMES = _names("""
    age century date_add date_diff date_part date_sub date_trunc datediff datepart datesub datetrunc day dayname
    dayofmonth dayofweek dayofyear days_in_month epoch epoch_ms epoch_us hour isodow isoyear last_day make_date
    make_time make_timestamp microsecond millisecond minute month monthname quarter second strftime time_bucket
    timezone to_days to_hours to_microseconds to_milliseconds to_minutes to_months to_seconds to_weeks to_years
    try_strptime strptime week weekday weekofyear year yearweek
""")

CHOICES = _names("any_value coalesce constant_or_null error if ifnull nullif typeof")

AGGREGATES = _names("""
    arg_max arg_max_null arg_min arg_min_null argmax argmin array_agg avg bit_and bit_or bit_xor bool_and
    bool_or corr count count_if count_star countif covar_pop covar_samp favg first fsum geomean group_concat
    histogram kurtosis last list listagg mad max max_by mean median min min_by mode product quantile
    quantile_cont quantile_disc regr_intercept regr_r2 regr_slope skewness stddev stddev_pop stddev_samp
    string_agg sum var_pop var_samp variance grouping approx_count_distinct approx_quantile
""")

WINDOWS = _names("""
    cume_dist dense_rank fill first_value lag last_value lead nth_value ntile percent_rank rank rank_dense
    row_number
""")

LISTS = _names("""
    apply array_agg array_concat array_contains array_distinct array_extract array_filter array_has
    array_has_all array_has_any array_indexof array_length array_position array_reverse array_slice array_sort
    array_to_string array_transform array_unique array_value cardinality element_at filter flatten
    list_aggregate list_any_value list_append list_apply list_avg list_bool_and list_bool_or list_cat
    list_concat list_contains list_count list_distinct list_element list_extract list_filter list_first list_has
    list_has_all list_has_any list_indexof list_intersect list_last list_max list_median list_min list_mode
    list_pack list_position list_prepend list_product list_reduce list_reverse list_reverse_sort list_select
    list_slice list_sort list_stddev_samp list_sum list_transform list_unique list_value list_where list_zip map
    map_contains map_entries map_extract map_from_entries map_keys map_values reduce row struct_concat
    struct_extract struct_extract_at struct_insert struct_pack unnest
""")

JSON = _names("""
    from_json json_array_length json_contains json_exists json_extract json_extract_string json_keys json_type
    json_valid json_value to_json
""")

ALLOWED = OPERATORS | NUMBERS | TEXT | TIMES | CHOICES | AGGREGATES | WINDOWS | LISTS | JSON

CLOCKS = _names("""
    now today get_current_timestamp get_current_time transaction_timestamp current_date current_time
    current_timestamp current_localtime current_localtimestamp localtime localtimestamp
""")

CHANCE = _names("random uuid gen_random_uuid uuidv4 uuidv7 setseed reservoir_quantile")

SESSION_NAMES = _names("current_user session_user user current_role current_catalog current_schema current_database")
"""Words that read as a column and are a function of the session."""
