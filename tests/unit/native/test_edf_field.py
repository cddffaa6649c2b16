"""EdfFile on what the field writes: gaps, 24 bits, odd headers, huge files; expected values are the bytes' own."""

from __future__ import annotations

import datetime as dt
import tracemalloc
from fractions import Fraction

import mne
import numpy as np
import psutil
import pytest
from tests.edf_bytes import Raw, Tals, edf_bytes

from hypnoflow.errors import RecordingError
from hypnoflow.native.edf import EdfFile

UNIT_GAIN = {"physical": ("-32768", "32767")}  # physical values are the digital ones
RATE_HZ = 100


def ramp(records, samples=RATE_HZ, start=0):
    """Return digital values that are their own position, shape (record, sample)."""
    return start + np.arange(records * samples).reshape(records, samples)


def open_bytes(folder, signals, name="a.edf", **options):
    path = folder / name
    path.write_bytes(edf_bytes(signals, **options))
    return EdfFile(path)


def with_gaps(folder, onsets, *signals, kind="EDF+D", **options):
    signals = signals or (Raw(ramp(len(onsets)), **UNIT_GAIN),)
    return open_bytes(folder, [*signals, Tals(onsets)], reserved=kind, **options)


# --- gaps ----------------------------------------------------------------------------------------------------


def test_records_lie_at_their_onsets_and_the_gaps_between_them_are_missing_samples(tmp_path):
    file = with_gaps(tmp_path, ["+0", "+1", "+5.5", "+6.5", "+20"])
    x = file.read("EEG")
    assert file.duration_s == 21
    assert file.gaps_s == [(2, 5.5), (7.5, 20)]
    assert len(x) == 2100
    np.testing.assert_array_equal(x[:200], np.arange(200))
    np.testing.assert_array_equal(x[550:750], np.arange(200, 400))
    np.testing.assert_array_equal(x[2000:], np.arange(400, 500))
    assert np.isnan(x[200:550]).all()
    assert np.isnan(x[750:2000]).all()


def test_gaps_are_told_with_their_number_and_length(tmp_path):
    (said,) = with_gaps(tmp_path, ["+0", "+1", "+5.5", "+6.5", "+20"]).warnings
    assert "2 gaps, 16 s in all, the longest 12.5 s" in said


def test_signals_of_every_rate_share_one_time_axis_across_gaps(tmp_path):
    fast, slow = Raw(ramp(4, 256), "F", **UNIT_GAIN), Raw(ramp(4, 1), "S", **UNIT_GAIN)
    file = with_gaps(tmp_path, ["+0", "+10", "+11", "+100.25"], fast, slow)
    assert file.duration_s == 101.25
    assert np.flatnonzero(np.isfinite(file.read("S"))).tolist() == [0, 10, 11, 100]
    present = np.flatnonzero(np.isfinite(file.read("F")))
    np.testing.assert_array_equal(present, [*range(256), *range(2560, 3072), *range(25664, 25920)])


def test_onsets_that_begin_late_count_from_the_first_sample(tmp_path):
    file = with_gaps(tmp_path, ["+0.75", "+1.75", "+4.75"])
    assert file.gaps_s == [(2, 4)]
    assert file.start == dt.datetime(1989, 4, 24, 23, 5, 7, 750_000)


def test_a_file_said_to_be_discontinuous_that_is_not_has_no_gaps_and_no_warning(tmp_path):
    file = with_gaps(tmp_path, ["+0", "+1", "+2"])
    assert file.gaps_s == []
    assert file.warnings == []
    np.testing.assert_array_equal(file.read("EEG"), np.arange(300))


def test_jitter_of_less_than_a_sample_is_no_gap_and_is_told(tmp_path):
    file = with_gaps(tmp_path, ["+0", "+1.004", "+1.998", "+3.003"])
    assert file.gaps_s == []
    assert file.duration_s == 4
    np.testing.assert_array_equal(file.read("EEG"), np.arange(400))
    assert "jitter by up to 4 ms" in file.warnings[0]


def test_slow_drift_is_placed_and_does_not_add_up_unseen(tmp_path):
    onsets = [f"+{1.004 * i:.3f}" for i in range(50)]  # 0.4 samples late each record
    file = with_gaps(tmp_path, onsets)
    x = file.read("EEG")
    assert file.duration_s == pytest.approx(1.004 * 49 + 1, abs=0.011)
    begins = [int(np.flatnonzero(x == 100 * record)[0]) for record in range(50)]
    np.testing.assert_allclose(np.array(begins) / RATE_HZ, 1.004 * np.arange(50), atol=0.0151)


@pytest.mark.parametrize("onsets", [["+0", "+1", "+1.5"], ["+0", "+10", "+3"], ["+5", "+6", "+0"]])
def test_records_that_overlap_or_run_backwards_are_refused(tmp_path, onsets):
    with pytest.raises(RecordingError, match="record 2 begins at") as caught:
        with_gaps(tmp_path, onsets)
    assert caught.value.path == tmp_path / "a.edf"


@pytest.mark.parametrize("onset", ["", "+x", "+nan", "+1e999"])
def test_a_record_that_does_not_say_when_it_begins_is_refused_by_its_number(tmp_path, onset):
    with pytest.raises(RecordingError, match="record 1 does not say when it begins"):
        with_gaps(tmp_path, ["+0", onset, "+9"])


def test_gaps_without_a_signal_of_onsets_are_refused(tmp_path):
    with pytest.raises(RecordingError, match=r"EDF\+D, but no signal of annotations"):
        open_bytes(tmp_path, [Raw(ramp(3))], reserved="EDF+D")


@pytest.mark.parametrize("last", ["+1000000000", "+172800"])
def test_a_gap_up_to_another_year_is_refused_before_memory_is_taken(tmp_path, last):
    tracemalloc.start()
    with pytest.raises(RecordingError, match=r"lasts .* h, .* gaps.*48 h"):
        with_gaps(tmp_path, ["+0", "+1", last])
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert peak < 5e6


def test_a_gap_that_would_fill_the_memory_at_the_signals_rate_is_refused(tmp_path):
    with pytest.raises(RecordingError, match="samples a signal"):
        with_gaps(tmp_path, ["+0", "+100000"], Raw(np.zeros((2, 100_000), int)))


def test_a_recording_of_nearly_48_hours_with_a_gap_is_read(tmp_path):
    assert with_gaps(tmp_path, ["+0", "+1", "+172799"]).duration_s == 172800


def test_annotations_of_a_file_with_gaps_lie_on_the_same_time_axis(tmp_path):
    tals = Tals(["+0.5", "+1.5", "+60.5"], {2: "+61\x1530\x14Sleep stage 2\x14\0"})
    file = open_bytes(tmp_path, [Raw(ramp(3)), tals], reserved="EDF+D")
    assert [(a.onset_s, a.duration_s, a.label) for a in file.annotations()] == [(60.5, 30, "Sleep stage 2")]
    assert file.gaps_s == [(2, 60)]


def test_a_continuous_file_whose_onsets_say_otherwise_is_told(tmp_path):
    file = with_gaps(tmp_path, ["+0", "+1", "+62"], kind="EDF+C")
    assert file.gaps_s == []
    assert any("said to be continuous" in w and "+60 s" in w for w in file.warnings)


# --- 24 bits -------------------------------------------------------------------------------------------------

EXTREMES = np.array([[0, 1, -1, 255, 256, -256, 8388607, -8388608], [5, -5, 65536, -65537, 1 << 20, 77, -99, 3]])
FULL = ("-8388608", "8388607")


@pytest.mark.parametrize("name", ["a.bdf", "a.edf", "a"])
def test_24_bit_samples_are_read_exactly_whatever_the_suffix(tmp_path, name):
    signals = [Raw(EXTREMES, "Cz", physical=FULL, limits=FULL), Raw(EXTREMES[::-1], "Pz", physical=FULL, limits=FULL)]
    file = open_bytes(tmp_path, signals, name, bdf=True)
    np.testing.assert_array_equal(file.read("Cz"), EXTREMES.ravel())
    np.testing.assert_array_equal(file.read("Pz"), EXTREMES[::-1].ravel())
    assert file.warnings == []


def test_24_bit_gain_and_offset_equal_those_of_mne(tmp_path, rng):
    digital = rng.integers(-8_000_000, 8_000_000, (4, 64))
    file = open_bytes(tmp_path, [Raw(digital, "Cz", physical=("-262144", "262143"), limits=FULL)], "a.bdf", bdf=True)
    expected = 1e6 * mne.io.read_raw_bdf(file.path, verbose="error").get_data()[0]
    np.testing.assert_allclose(file.read("Cz"), expected, atol=0.02)  # of 262 mV: float32


def test_24_bit_annotations_and_gaps_are_read(tmp_path):
    tals = Tals(["+0", "+1", "+4"], {1: "+1.5\x1530\x14W\x14\0"}, "BDF Annotations")
    eeg = Raw(ramp(3), physical=FULL, limits=FULL)
    file = open_bytes(tmp_path, [eeg, tals], "a.bdf", bdf=True, reserved="BDF+D")
    assert list(file.labels) == ["EEG"]
    assert file.gaps_s == [(2, 4)]
    assert [(a.onset_s, a.duration_s, a.label) for a in file.annotations()] == [(1.5, 30, "W")]
    np.testing.assert_array_equal(file.read("EEG")[400:], np.arange(200, 300))


def test_another_first_byte_is_told_and_read_as_edf(tmp_path):
    path = tmp_path / "a.edf"
    path.write_bytes(b"7" + edf_bytes([Raw(ramp(2), **UNIT_GAIN)])[1:])
    file = EdfFile(path)
    np.testing.assert_array_equal(file.read("EEG"), np.arange(200))
    assert "'7'" in file.warnings[0]


# --- headers -------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("unit", "factor"),
    [
        ("uV", 1), ("UV", 1), ("uv", 1), ("mV", 1e3), ("MV", 1e3), ("V", 1e6), ("v", 1e6), ("nV", 1e-3), ("NV", 1e-3),
        ("µV".encode("latin-1"), 1), ("µV".encode(), 1), ("μV".encode(), 1), ("\0uV\0", 1),
    ],
)  # fmt: skip
def test_every_spelling_of_a_potential_comes_out_in_microvolts(tmp_path, unit, factor):
    file = open_bytes(tmp_path, [Raw(np.array([[1, -2, 300]]), unit=unit, **UNIT_GAIN)])
    assert file.unit("EEG") == "uV"
    np.testing.assert_allclose(file.read("EEG"), np.array([1, -2, 300]) * factor, rtol=1e-6)


def test_an_inverted_physical_range_is_a_negative_gain(tmp_path):
    limits = ("-100", "100")
    file = open_bytes(tmp_path, [Raw(np.array([[100, -100, 50]]), physical=("20", "-20"), limits=limits)])
    np.testing.assert_allclose(file.read("EEG"), [-20, 20, -10], rtol=1e-6)
    assert file.warnings == []


@pytest.mark.parametrize(
    ("physical", "limits", "said"),
    [
        (("0", "0"), ("-9", "9"), "physical minimum equals"),
        (("-1", "1"), ("7", "7"), "digital minimum equals"),
        (("-1e300", "1e300"), ("-9", "9"), "impossible physical range"),
    ],
)
def test_ranges_that_give_no_scale_give_digital_values_without_unit_and_a_warning(tmp_path, physical, limits, said):
    file = open_bytes(tmp_path, [Raw(np.array([[1, -2, 300]]), physical=physical, limits=limits)])
    np.testing.assert_array_equal(file.read("EEG"), [1, -2, 300])
    assert file.unit("EEG") == ""
    assert said in file.warnings[0]


@pytest.mark.parametrize(
    ("samples", "record_s", "rate_hz"),
    [
        (256, "0.976562", Fraction(256_000_000, 976_562)),
        (250, ".9765625", 256),
        (100, "60", Fraction(5, 3)),
        (1, "30", Fraction(1, 30)),
        (10, "0.1", 100),
    ],
)
def test_rates_are_exact_fractions_of_the_headers_decimals(tmp_path, samples, record_s, rate_hz):
    file = open_bytes(tmp_path, [Raw(ramp(3, samples))], record_s=record_s)
    assert file.rate_hz("EEG") == float(rate_hz)
    assert file.duration_s == float(Fraction(3 * samples) / rate_hz)


def test_numbers_with_a_comma_and_stray_zero_bytes_are_read(tmp_path):
    signal = Raw(np.array([[0, 100]]), physical=("-0,5\0\0", "0,5\0"), limits=("-100\0", "100"))
    file = open_bytes(tmp_path, [signal], record_s="0,5\0\0")
    np.testing.assert_allclose(file.read("EEG"), [0, 0.5], atol=1e-7)
    assert file.rate_hz("EEG") == 4


def test_a_signal_without_samples_is_left_out_and_told(tmp_path):
    file = open_bytes(tmp_path, [Raw(ramp(2), "A", **UNIT_GAIN), Raw(ramp(2, 0), "Empty"), Raw(ramp(2, 3), "B")])
    assert list(file.labels) == ["A", "B"]
    assert file.rate_hz("B") == 3
    assert "'Empty' has no samples" in file.warnings[0]


def test_a_label_that_looks_like_a_suffixed_duplicate_loses_nothing(tmp_path):
    names = ["EEG", "EEG#2", "EEG"]
    signals = [Raw(ramp(1, 4, 10 * i), name, **UNIT_GAIN) for i, name in enumerate(names)]
    file = open_bytes(tmp_path, signals)
    assert list(file.labels) == ["EEG", "EEG#2", "EEG#3"]
    assert [file.read(label)[0] for label in file.labels] == [0, 10, 20]


@pytest.mark.parametrize("label", ["\u00c9EG".encode(), "\u00c9EG".encode("latin-1")])
def test_labels_are_read_in_utf_8_and_latin_1(tmp_path, label):
    assert list(open_bytes(tmp_path, [Raw(ramp(1), label)]).labels) == ["\u00c9EG"]


@pytest.mark.parametrize("suffix", [".rec", ".EDF", ""])
def test_the_suffix_does_not_matter(tmp_path, suffix):
    file = open_bytes(tmp_path, [Raw(ramp(2, 60), **UNIT_GAIN)], "night" + suffix, record_s="60")
    np.testing.assert_array_equal(file.read("EEG"), np.arange(120))


@pytest.mark.parametrize("said", ["-1", "0", "3000000"])
def test_a_record_count_that_cannot_be_gives_the_records_held(tmp_path, said):
    assert open_bytes(tmp_path, [Raw(ramp(5))], said=said).duration_s == 5


@pytest.mark.parametrize("record_s", ["0", "-1", "nan", "1e999999", "1e-99", "1e-9999", "", "1_0x"])
def test_an_impossible_record_duration_is_refused(tmp_path, record_s):
    with pytest.raises(RecordingError, match="damaged"):
        open_bytes(tmp_path, [Raw(ramp(2))], record_s=record_s)


def test_a_recording_of_a_thousand_years_is_refused(tmp_path):
    with pytest.raises(RecordingError, match="lasts"):
        open_bytes(tmp_path, [Raw(ramp(2))], record_s="1e10")


# --- huge files ----------------------------------------------------------------------------------------------


def test_a_slow_signal_of_a_file_of_more_than_2_gib_is_read_in_bounded_memory(tmp_path):
    records, fast = 6600, 81_920
    head = edf_bytes([Raw(np.zeros((1, fast), int), "A"), Raw(np.zeros((1, fast), int), "B"), Raw(ramp(1, 1), "S")])
    header, record_bytes = 256 * 4, 2 * (2 * fast + 1)
    path = tmp_path / "huge.edf"
    with path.open("wb") as file:
        file.write(head[:header].replace(b"1       1       3   ", b"6600    10      3   "))
        file.truncate(header + records * record_bytes)  # sparse: nothing is written
        file.seek(header + records * record_bytes - 2)
        file.write(b"\xff\x7f")
    assert path.stat().st_size > 2**31
    edf = EdfFile(path)
    resident = psutil.Process().memory_info().rss
    tracemalloc.start()
    x = edf.read("S")
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert (len(x), edf.rate_hz("S"), edf.warnings) == (records, 0.1, [])
    assert x[-1] == pytest.approx(200)
    assert np.ptp(x[:-1]) == 0
    assert peak < 4 * 4 * records + 1e6
    assert psutil.Process().memory_info().rss - resident < 200e6
