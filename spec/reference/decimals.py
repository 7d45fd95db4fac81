"""What Python's float() makes of numbers as people and programs write them."""

import random

from common import write

HARD = [
    # halfway between two doubles, and just beside that
    "9007199254740993", "9007199254740992.99999999", "9007199254740993.00000000000000000001",
    "0.500000000000000166533453693773481063544750213623046875",
    "3.518437208883201171875e13", "62.5364939768271845828", "8.10109172351e-10",
    "1.50000000000000011102230246251565", "179769313486231580793", "1e23", "8.5e22", "9.5e22",
    # the greatest, the smallest, and around them
    "1.7976931348623157e308", "2.2250738585072014e-308", "2.2250738585072011e-308", "5e-324",
    "4.9406564584124654e-324", "2.4703282292062327e-324", "2.4703282292062328e-324", "1e-400",
    # many digits
    "3.14159265358979323846264338327950288419716939937510", "0." + "0" * 60 + "123e60",
    "1" + "0" * 30, "123456789012345678901234567890", "0." + "3" * 100, "18446744073709551615",
    "18446744073709551616", "9999999999999999999", "99999999999999999999",
    # spellings
    "0", "-0", "+1", "00012", "1.", ".5", "-.5e1", "1E5", "1e+05", "1e-05", "1e0000000001",
    "0e999999999999", "0.0e-999999999999", "5E-1", "123e-2", "1.0", "100", "-1.10",
]


def spellings():
    texts = list(HARD)
    draw = random.Random(1)
    for digits in range(1, 25):
        for exponent in (None, -30, -22, -19, -5, 0, 3, 19, 22, 25, 40):
            text = "".join(draw.choice("0123456789") for _ in range(digits))
            point = draw.randrange(digits + 1)
            text = text[:point] + "." + text[point:]
            texts.append(text if exponent is None else f"{text}e{exponent}")
    for _ in range(100):
        texts.append(repr(draw.gauss(0, 1) * 10 ** draw.randrange(-12, 13)))
    return texts


write({text: float(text).hex() for text in spellings()})
