"""Small files in every published format, for the tests of loading."""

from __future__ import annotations

from pathlib import Path

JOBS = {
    "resume.csv": [
        "resume_seq,reg_date,updated_date,degree,graduate_date,hope_salary,last_salary,text_keyword,"
        "job_code_seq1,job_code_seq2,job_code_seq3,career_month,career_job_code",
        "U00001,2015-03-02,2020-01-05 10:30:00,4,2012,2400.0,0.0,회계; 세무 ;;회계,경영·사무,,,0,",
        'U00002,2018-07-01,2020-02-06,3,0,0.0,2800.0,"용접;""CAD""",생산,,,36,제조;기계',
        "U00003,2001-01-01 00:00:00,2020-03-07 00:00:00,5,2022,10000.0,9000.0,,생산,품질,,432,제조",
    ],
    "resume_education.csv": [
        "resume_seq,hischool_type_seq,hischool_special_type,hischool_nation,hischool_gender,"
        "hischool_location_seq,univ_type_seq1,univ_type_seq2,univ_transfer,univ_location,univ_major,"
        "univ_sub_major,univ_major_type,univ_score",
        "U00001,21,일반고,한국,여자,10,3,5,0,7.0,회계학,,2,88.5",
        "U00002,7,공업고,한국,남자,12,0,0,0,,,,,0",
        "U00003,21,일반고,한국,공학,10,3,5,1,7,,,13,100",
    ],
    "resume_certificate.csv": [
        "resume_seq,certificate_contents",
        "U00001,전산회계 1급",
        "U00001,전산세무 2급",
        "U00003,",
    ],
    "resume_language.csv": [
        "resume_seq,language,exam_name,score",
        "U00001,4,4.0,855.0",
        "U00003,4,4.0,0.0",
        "U00001,4,4.0,855.0",
    ],
    "recruitment.csv": [
        "recruitment_seq,address_seq1,address_seq2,address_seq3,career_end,career_start,"
        "check_box_keyword,education,major_task,qualifications,text_keyword",
        "R00001,3.0,,,0,0,2101;2108;2201,3,2,1,",
        "R00002,,,,0,0,2101,4,10,0,경리;사무",
    ],
    "company.csv": [
        "recruitment_seq,company_type_seq,supply_kind,employee",
        "R00001,2,402,120",
    ],
    "apply_train.csv": [
        "resume_seq,recruitment_seq",
        "U00003,R00002",
        "U00001,R00002",
        "U00001,R00001",
        "U00002,R00001",
    ],
}

ML_100K = {
    "u.data": ["196\t242\t3\t881250949", "186\t302\t3\t891717742", "196\t302\t5\t881250950"],
    "u.user": ["186|39|F|executive|00000", "196|49|M|writer|T8H1N"],
    "u.item": [
        '242|Léon, the "Pro" (1994)|01-Jan-1996||http://x|0|1|0|0|1|0|0|0|0|0|0|0|0|0|0|0|0|0|0',
        "302|unknown|||http://y|1|0|0|0|0|0|0|0|0|0|0|0|0|0|0|0|0|0|0",
    ],
    "README": ["ignored"],
}

ML_1M = {
    "ratings.dat": ["196::242::3::881250949", "186::302::3::891717742", "196::302::5::881250950"],
    "users.dat": ["186::F::35::7::00000", "196::M::45::20::98107-2117"],
    "movies.dat": ["242::Léon (1994)::Action|Children's", "302::L.A. Confidential (1997)::Crime"],
}

ML_LATEST = {
    "ratings.csv": [
        "userId,movieId,rating,timestamp",
        "196,242,3.5,881250949",
        "186,302,3,891717742",
        "196,302,5,881250950",
    ],
    "movies.csv": [
        "movieId,title,genres",
        '242,"Léon, the ""Pro"" (1994)",Action|Children\'s',
        "302,기생충,(no genres listed)",
    ],
}

RECBOLE = {
    "ml.inter": [
        "user_id:token\titem_id:token\trating:float\ttimestamp:float",
        "196\t242\t3\t881250949",
        "186\t302\t3\t891717742.0",
        "196\t302\t5\t881250950",
    ],
    "ml.user": [
        "user_id:token\tage:token\tgender:token\toccupation:token\tzip_code:token",
        "186\t39\tF\texecutive\t00000",
        "196\t49\tM\twriter\tT8H1N",
    ],
    "ml.item": [
        "item_id:token\tmovie_title:token_seq\trelease_year:token\tclass:token_seq",
        '242\tLéon the "Pro"\t1994\tAction Children\'s',
        "302\tunknown\tunkonwn\t",
    ],
}


def write(
    folder: Path, files: dict[str, list[str]], encoding: str = "utf-8", line_end: str = "\n"
) -> Path:
    """Write the lines of every file; return the folder."""
    folder.mkdir(exist_ok=True)
    for name, lines in files.items():
        text = "".join(line + line_end for line in lines)
        (folder / name).write_bytes(text.encode(encoding))
    return folder


def changed(files: dict[str, list[str]], name: str, row: int, line: str) -> dict[str, list[str]]:
    """Replace a line of a file; ``row`` counts from 1."""
    lines = list(files[name])
    lines[row - 1 : row] = [line]
    return {**files, name: lines}
