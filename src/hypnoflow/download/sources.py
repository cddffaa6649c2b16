"""Which cohort is on which server."""

from __future__ import annotations

from hypnoflow.download._files import Source
from hypnoflow.download.nsrr import NsrrServer
from hypnoflow.download.rar import RarServer
from hypnoflow.download.request import OnRequest
from hypnoflow.download.s3 import DreemServer
from hypnoflow.download.sums import SumsServer

PHYSIONET = "https://physionet.org/files/"
# psg-utils (MIT) keeps the sums of DCSM's psg.h5 and hypnogram.ids; the host itself lists nothing.
DCSM_SUMS = (
    "https://raw.githubusercontent.com/perslev/psg-utils/231cc242d26afd542566047fa343eb3e05f2b218/"
    "psg_utils/downloads/dcsm/dcsm_checksums.txt"
)
SCORERS = "https://raw.githubusercontent.com/Dreem-Organization/dreem-learning-evaluation/master/scorers/"


def _mass(subset: str) -> OnRequest:
    return OnRequest(
        f"MASS {subset} cannot be downloaded by program. Request the PSG files of {subset} at "
        "https://doi.org/10.5683/SP3/9MYUCS (Borealis; with your ethics committee's approval); the annotation files "
        f"of {subset} are on the same site. Put the PSG, Base and Annotations .edf files into one folder and set "
        f"science.cohorts.mass-c{subset[-1]}.root to it"
    )


SOURCES: dict[str, Source] = {
    "abc": NsrrServer("abc"),
    "ccshs": NsrrServer("ccshs"),
    "cfs": NsrrServer("cfs"),
    "chat": NsrrServer("chat"),
    "dcsm": SumsServer(
        "https://sid.erda.dk/share_redirect/fUH3xbOXv8/",
        keep=r"(?P<recording>tp\w+)/(psg\.h5|hypnogram\.ids)",
        sums=DCSM_SUMS,
    ),
    "dodh": DreemServer("https://dreem-dod-h.s3.eu-west-3.amazonaws.com/", f"{SCORERS}dodh/", "scorers/dodh"),
    "dodo": DreemServer("https://dreem-dod-o.s3.eu-west-3.amazonaws.com/", f"{SCORERS}dodo/", "scorers/dodo"),
    "hpap": NsrrServer("homepap", part="/lab"),  # the arm at home has no EEG
    "isruc-sg1": RarServer("I", 100),
    "isruc-sg2": RarServer("II", 8),
    "isruc-sg3": RarServer("III", 10),
    "mass-c1": _mass("SS1"),
    "mass-c3": _mass("SS3"),
    "mesa": NsrrServer("mesa"),
    "mros": NsrrServer("mros"),
    "phys": SumsServer(
        f"{PHYSIONET}challenge-2018/1.0.0/",
        keep=r"training/(?P<recording>tr\d\d-\d{4})/tr\d\d-\d{4}\.(hea|mat|arousal)|age-sex\.csv",
    ),
    "sedf-sc": SumsServer(
        f"{PHYSIONET}sleep-edfx/1.0.0/",
        keep=r"sleep-cassette/(?P<recording>SC4\d{3})\w+-(PSG|Hypnogram)\.edf|SC-subjects\.xls",
    ),
    "sedf-st": SumsServer(
        f"{PHYSIONET}sleep-edfx/1.0.0/",
        keep=r"sleep-telemetry/(?P<recording>ST7\d{3})\w+-(PSG|Hypnogram)\.edf|ST-subjects\.xls",
    ),
    "shhs": NsrrServer("shhs"),
    "sof": NsrrServer("sof"),
    "svuh": SumsServer(
        f"{PHYSIONET}ucddb/1.0.0/",
        keep=r"(?P<recording>ucddb\d{3})(\.rec|_stage\.txt|_respevt\.txt)|SubjectDetails\.xls",
    ),
}
