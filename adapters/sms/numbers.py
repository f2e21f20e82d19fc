"""In which country a number is. Pure: asks no network, only the tables of `phonenumbers`."""

import phonenumbers

NOWHERE = "001"  # satellites and the like


def country(address: str) -> str:
    """The ISO code, such as `US`, also of `whatsapp:+1...`. Empty: a short code, a name, or a number nobody can place.

    Countries that share a calling code, as +1, are told apart by the number itself; one that fits in none of them is in
    none. Where a calling code is one country's alone, a number need not be in the tables, which lag behind.
    """
    digits = address.rpartition(":")[2]
    if not digits.startswith("+"):
        return ""
    try:
        number = phonenumbers.parse(digits)
    except phonenumbers.NumberParseException:
        return ""
    found = phonenumbers.region_code_for_number(number)
    regions = phonenumbers.region_codes_for_country_code(number.country_code or 0)
    if found is None and len(regions) == 1:
        found = regions[0]
    return "" if found is None or found == NOWHERE else found
