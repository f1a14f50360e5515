import pytest

from pulp_download.manifests import ManifestEntry
from tests.unit.manifests.reading import OTHER, SHA256, read, refusal


def test_every_line_is_a_path_a_sha256_and_a_size() -> None:
    text = "\n".join(
        [
            f"a.iso,{SHA256.upper()},0",
            f'"b, ""c"".iso", {SHA256} , 12 ',
            "",
            "# comment",
            f'sub/5" disk,{SHA256},9223372036854775807',
        ]
    )
    digests = (("sha256", SHA256),)
    assert read(text, name="PULP_MANIFEST") == [
        ManifestEntry("a.iso", size=0, digests=digests, line=1),
        ManifestEntry('b, "c".iso', size=12, digests=digests, line=2),
        ManifestEntry('sub/5" disk', size=9223372036854775807, digests=digests, line=5),
    ]


@pytest.mark.parametrize(
    ("line", "reason"),
    [
        ("a", "1 fields instead of PATH,SHA256,SIZE"),
        (f"a,{OTHER}", "2 fields instead of PATH,SHA256,SIZE"),
        (f"a,b,{OTHER},1", "4 fields instead of PATH,SHA256,SIZE"),
        (f"a,{OTHER},1,", "4 fields instead of PATH,SHA256,SIZE"),
        (f"a,{OTHER},", "size '' is not a number of bytes"),
        (f"a,{OTHER},-1", "size '-1' is not a number of bytes"),
        (f"a,{OTHER},+1", "size '+1' is not a number of bytes"),
        (f"a,{OTHER},1_0", "size '1_0' is not a number of bytes"),
        (f"a,{OTHER},1.5", "size '1.5' is not a number of bytes"),
        (f"a,{OTHER},0x10", "size '0x10' is not a number of bytes"),
        (f"a,{OTHER},\uff11", "size '\uff11' is not a number of bytes"),
        (f"a,{OTHER},9223372036854775808", "size '9223372036854775808' is not a number of bytes"),
        (f"a,{OTHER},{'1' * 5000}", f"size '{'1' * 80}...' is not a number of bytes"),
        (f"a,{OTHER[1:]},1", "a sha256 digest has 64 hexadecimal digits, not 63"),
        (f"a,{OTHER[1:]}x,1", f"digest '{OTHER[1:]}x' is not hexadecimal"),
        (f"a,12,{OTHER}", f"size '{OTHER}' is not a number of bytes"),
        (f'"a,{OTHER},1', "malformed quotes"),
        (f'"a"b,{OTHER},1', "malformed quotes"),
    ],
)
def test_a_bad_line_is_refused_with_its_number(line: str, reason: str) -> None:
    good = f"good,{OTHER},1\n"
    error = refusal(f"{good}{line}\n{good}", format="pulp-manifest")
    assert (error.line, str(error)) == (2, f"line 2: {reason}")
