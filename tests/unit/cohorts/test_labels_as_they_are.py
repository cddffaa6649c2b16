"""The sets of labels that are known of the cohorts' files, and what each must give; a reference goes off once."""

from __future__ import annotations

import pytest

from hypnoflow.channels.derive import pick_by_rules
from hypnoflow.cohorts import cohorts

FORMED = {"C3-M2": "C3 - A2", "C4-M1": "C4 - A1", "E1-M2": "LOC - A2", "E2-M1": "ROC - A1"}
BELTS = {"Thorax": "THOR EFFORT", "Abdomen": "ABDO EFFORT"}
CASE_LABELS = "C3,C4,A1,A2,LOC,ROC,EMG1,EMG2,EMG3,ECG1,ECG2,AIRFLOW,NASAL PRES,THOR EFFORT,ABDO EFFORT,SUM,SpO2,HRate"
CASE = FORMED | BELTS | {"Chin": "EMG2 - EMG1", "ECG": "ECG1 - ECG2", "Airflow": "AIRFLOW", "Nasal": "NASAL PRES",
                         "SpO2": "SpO2"}  # fmt: skip
SIX = ("F3-M2", "F4-M1", "C3-M2", "C4-M1", "O1-M2", "O2-M1")
ISRUC_BOXES = {"Chin": "X1", "ECG": "X2", "Airflow": "X6", "Thorax": "X7", "Abdomen": "X8"}


def formed(pairs):
    return {label: " - ".join(label.split("-")) for label in pairs}


KNOWN = {
    "abc": (
        "abc",
        "F3,F4,C3,C4,O1,O2,M1,M2,E1,E2,Chin1,Chin2,Chin3,ECG1,ECG2,Airflow,Abdo,Thor,Sum,Nasal Pressure,CPAP Flow,SpO2",
        formed((*SIX, "E1-M2", "E2-M1"))
        | {"Chin": "Chin2 - Chin1", "ECG": "ECG1 - ECG2", "Airflow": "Airflow", "Nasal": "Nasal Pressure",
           "Thorax": "Thor", "Abdomen": "Abdo", "SpO2": "SpO2"},
    ),
    "ccshs": ("ccshs", CASE_LABELS, CASE),
    "cfs": ("cfs", CASE_LABELS, CASE),
    "cfs by the other exporter": (
        "cfs",
        "C3,C4,M1,M2,LOC,ROC,SaO2",
        formed(("C3-M2", "C4-M1")) | {"E1-M2": "LOC - M2", "E2-M1": "ROC - M1", "SpO2": "SaO2"},
    ),
    "chat, misspelt": (
        "chat",
        "C3,m2,Lchin,Rchiin,Cchin,ECG1,ECg2,ECG3,Airlfow,CannnulaFlow,CHEST,ABD,SAO2",
        {"C3-M2": "C3 - m2", "Chin": "Lchin - Cchin", "ECG": "ECG1 - ECg2", "Airflow": "Airlfow",
         "Nasal": "CannnulaFlow", "Thorax": "CHEST", "Abdomen": "ABD", "SpO2": "SAO2"},
    ),
    "chat, two chin electrodes": ("chat", "LCHIN,Rchiin", {"Chin": "LCHIN - Rchiin"}),
    "chat, referenced": (
        "chat",
        "F3-A2,O2-A1,E1-A2,LChin-Rchin,EKG,AIR,CannulaFow",
        {"F3-M2": "F3-A2", "O2-M1": "O2-A1", "E1-M2": "E1-A2", "Chin": "LChin-Rchin", "ECG": "EKG", "Airflow": "AIR",
         "Nasal": "CannulaFow"},
    ),
    "hpap, finished": (
        "hpap",
        "F4-M1,E_1-M2,E_2-M1,LCHIN-CCHIN",
        {"F4-M1": "F4-M1", "E1-M2": "E_1-M2", "E2-M1": "E_2-M1", "Chin": "LCHIN-CCHIN"},
    ),
    "hpap, eyes without a mastoid": ("hpap", "F4-M1,L-EOG,R-EOG", {"F4-M1": "F4-M1", "E1": "L-EOG", "E2": "R-EOG"}),
    "hpap, a site of its own": (
        "hpap",
        "C3,M1,M2,E-1,E-2,Chin2-Chin3,EKG1,EKG2,EKG3,AIR-flow,CannualFlow,Chest1,Abd2,Sa02",
        {"C3-M2": "C3 - M2", "E1-M2": "E-1 - M2", "E2-M1": "E-2 - M1", "Chin": "Chin2-Chin3", "ECG": "EKG1 - EKG2",
         "Airflow": "AIR-flow", "Nasal": "CannualFlow", "Thorax": "Chest1", "Abdomen": "Abd2", "SpO2": "Sa02"},
    ),
    "hpap, three chin electrodes": ("hpap", "EMG1,EMG2,EMG3,ECG I,ECG II", {"Chin": "EMG2 - EMG1",
                                                                          "ECG": "ECG I - ECG II"}),
    "mesa": (
        "mesa",
        "EKG,EOG-L,EOG-R,EMG,EEG1,EEG2,EEG3,Pres,Flow,Thor,Abdo,Aux_AC,SpO2,EEG1_Off,EOG-L_Off,EKG_Off",
        {"Fz-Cz": "EEG1", "Cz-Oz": "EEG2", "C4-M1": "EEG3", "E1-Fpz": "EOG-L", "E2-Fpz": "EOG-R", "Chin": "EMG",
         "ECG": "EKG", "Airflow": "Aux_AC", "Nasal": "Flow", "Thorax": "Thor", "Abdomen": "Abdo", "SpO2": "SpO2"},
    ),
    "mros, visit 1": (
        "mros",
        "C3,C4,A1,A2,LOC,ROC,ECG L,ECG R,L Chin,R Chin,Airflow,Thoracic,Abdominal,Cannula Flow,SaO2",
        FORMED | {"Chin": "L Chin - R Chin", "ECG": "ECG L - ECG R", "Airflow": "Airflow", "Nasal": "Cannula Flow",
                  "Thorax": "Thoracic", "Abdomen": "Abdominal", "SpO2": "SaO2"},
    ),
    "mros, finished": (
        "mros",
        "C3-A2,C4-A1,L Chin-R Chin,ECG L-ECG R",
        {"C3-M2": "C3-A2", "C4-M1": "C4-A1", "Chin": "L Chin-R Chin", "ECG": "ECG L-ECG R"},
    ),
    "mros, visit 2": (
        "mros",
        "C3,C4,M1,M2,E1,E2,ECGL,ECGR,LChin,RChin,Airflow,Chest,ABD,SUM,SpO2,CannulaFlow,CH36",
        formed(("C3-M2", "C4-M1", "E1-M2", "E2-M1"))
        | {"Chin": "LChin - RChin", "ECG": "ECGL - ECGR", "Airflow": "Airflow", "Nasal": "CannulaFlow",
           "Thorax": "Chest", "Abdomen": "ABD", "SpO2": "SpO2"},
    ),
    "sof": (
        "sof",
        "C3,C4,A1,A2,LOC,ROC,ECG1,ECG2,EMG/L,EMG/R,Airflow,Thoracic,Abdominal,NASAL PRESSURE,SAO2",
        FORMED | {"Chin": "EMG/L - EMG/R", "ECG": "ECG1 - ECG2", "Airflow": "Airflow", "Nasal": "NASAL PRESSURE",
                  "Thorax": "Thoracic", "Abdomen": "Abdominal", "SpO2": "SAO2"},
    ),
    "isruc, referential": (
        "isruc-sg1",
        "ROC,A1,LOC,A2,C4,O2,C3,O1,F4,F3,X1,X2,X3,X4,X5,X6,X7,X8,DC8,DC3,SaO2",
        FORMED | {"F3-M2": "F3 - A2", "F4-M1": "F4 - A1", "O1-M2": "O1 - A2", "O2-M1": "O2 - A1", "SpO2": "SaO2"}
        | ISRUC_BOXES,
    ),
    "isruc, numbered boxes": ("isruc-sg1", "C3-A2,24,26,27,X2", {"C3-M2": "C3-A2", "Chin": "24", "ECG": "X2"}),
    "svuh": (
        "svuh",
        "Lefteye,RightEye,EMG,C3A2,C4A1,ECG,SpO2,Sound,Flow,Sum,ribcage,abdo,BodyPos,Pulse",
        {"C3-M2": "C3A2", "C4-M1": "C4A1", "E1": "Lefteye", "E2": "RightEye", "Chin": "EMG", "ECG": "ECG",
         "Airflow": "Flow", "Thorax": "ribcage", "Abdomen": "abdo", "SpO2": "SpO2"},
    ),
}  # fmt: skip
SHHS_SECOND_EEG = ("EEG(sec)", "EEG(SEC)", "EEG 2", "EEG2", "EEG sec")
SHHS_FLOWS = ("NEW AIR", "AIRFLOW", "New Air", "AUX", "NEWAIR", "New A/F", "New AIR", "new air")


@pytest.mark.parametrize("what", KNOWN)
def test_a_known_set_of_labels_gives_these_channels_and_no_others(what):
    cohort, labels, expected = KNOWN[what]
    picks = pick_by_rules(cohorts.get(cohort).channels, labels.split(","))
    assert {pick.label: pick.source for pick in picks} == expected


@pytest.mark.parametrize("second", SHHS_SECOND_EEG)
@pytest.mark.parametrize("flow", SHHS_FLOWS)
def test_shhs_knows_every_spelling_of_the_second_eeg_and_of_the_flow(second, flow):
    picks = pick_by_rules(cohorts.get("shhs").channels, ["EEG", second, flow])
    assert {pick.label: pick.source for pick in picks} == {"C4-M1": "EEG", "C3-M2": second, "Airflow": flow}
