"""The Korean vocabulary of the synthetic job data: fields of work, keywords and certificates.

Fields are in order on a line from trades to research, and so are the specialities within a field:
neighbouring words are close in the planted structure (see ``world``).
"""
# ruff: noqa: E501 - Korean letters count as two columns

from __future__ import annotations

from typing import NamedTuple


class Field(NamedTuple):
    """A field of work: its name, twelve specialities in order, and six usual certificates."""

    name: str
    specialities: tuple[str, ...]
    certificates: tuple[str, ...]


_FIELDS = """\
생산·제조: 생산 조립 사출 금형 프레스 용접 도장 포장 검사 품질 공정 제조
    품질경영기사, 생산자동화산업기사, 용접기능사, 사출금형산업기사, 위험물산업기사, 품질관리 2급
건설·토목: 건축 토목 측량 시공 철근 조경 안전 견적 감리 인테리어 도배 현장
    건축기사, 토목기사, 건설안전기사, 측량및지형공간정보기사, 조경기능사, 산업안전기사
운전·물류: 운전 배송 물류 창고 지게차 하역 입출고 배차 택배 재고 화물 검수
    지게차운전기능사, 1종대형 운전면허, 물류관리사, 화물운송종사자격, 유통관리사 3급, 굴착기운전기능사
전기·설비: 전기 소방 배관 냉동 공조 보일러 승강기 태양광 자동제어 수배전 전력 시설
    전기기사, 전기공사산업기사, 소방설비기사, 공조냉동기계기능사, 에너지관리기능사, 전기기능사
기계·설계: 기계 설계 도면 캐드 가공 선반 밀링 유압 공압 로봇 모델링 치공구
    일반기계기사, 기계설계산업기사, 전산응용기계제도기능사, CAD실무능력평가 2급, 컴퓨터응용선반기능사, ATC 캐드마스터
자동차·정비: 정비 차체 엔진 판금 타이어 검차 튜닝 부품 차량진단 하이브리드 중장비 이륜차
    자동차정비기능사, 자동차정비산업기사, 자동차차체수리기능사, 자동차진단평가사 1급, 건설기계정비기능사, 자동차보수도장기능사
조리·외식: 조리 한식 양식 제과 제빵 바리스타 주방 서빙 급식 메뉴 위생 외식
    한식조리기능사, 양식조리기능사, 제과기능사, 제빵기능사, 바리스타 2급, 위생사
미용·관광: 미용 헤어 네일 피부 메이크업 호텔 객실 여행 항공 웨딩 레저 의전
    미용사(일반), 미용사(피부), 네일미용사, 호텔서비스사, 국내여행안내사, 관광통역안내사
판매·유통: 판매 매장 유통 구매 상품 진열 백화점 마트 면세 온라인몰 소싱 발주
    유통관리사 2급, 샵마스터 3급, 구매자재관리사, 전자상거래운용사, 소비자전문상담사, 매장관리사 2급
영업·상담: 영업 상담 텔레마케팅 보험 제안 거래처 법인 대리점 콜센터 수주 계약 해피콜
    텔레마케팅관리사, 생명보험설계사, 손해보험설계사, 변액보험판매관리사, CS리더스관리사, 공인중개사
사무·총무: 사무 총무 비서 문서 자료 경리 서무 접수 인사 급여 채용 노무
    비서 2급, 문서실무사 2급, ERP정보관리사 인사 2급, 사무자동화산업기사, 직업상담사 2급, 공인노무사
회계·세무: 회계 세무 결산 원가 재무 감사 자금 법인세 부가세 전표 예산 공시
    전산회계 1급, 전산회계 2급, 전산세무 2급, ERP정보관리사 회계 2급, 재경관리사, 세무회계 2급
무역·외국어: 무역 통관 수출 수입 선적 포워딩 해외 통역 번역 중국어 일본어 영어
    국제무역사 1급, 무역영어 1급, 관세사, 보세사, 원산지관리사, 무역관리사
마케팅·기획: 마케팅 기획 광고 홍보 브랜드 콘텐츠 이벤트 시장조사 전략 제휴 카피 바이럴
    검색광고마케터 1급, 사회조사분석사 2급, SNS마케팅전문가 1급, 구글애널리틱스, 컨벤션기획사 2급, 경영지도사
디자인·미디어: 디자인 편집 영상 촬영 웹디자인 일러스트 출판 방송 애니메이션 패션 사진 그래픽
    컬러리스트기사, 시각디자인산업기사, GTQ 1급, 웹디자인기능사, 컴퓨터그래픽스운용기능사, 전자출판기능사
교육·보육: 교육 강사 보육 유치원 학원 교재 수학 과외 특수교육 방과후 진로 독서
    보육교사 2급, 유치원정교사 2급, 중등정교사 2급, 방과후지도사 1급, 한국어교원 2급, 평생교육사 2급
의료·복지: 복지 간호 요양 재활 치위생 병원 원무 임상 방사선 물리치료 약국 돌봄
    사회복지사 1급, 사회복지사 2급, 간호조무사, 요양보호사, 간호사 면허, 병원행정사
정보기술: 개발 프로그래밍 웹개발 서버 데이터베이스 네트워크 보안 앱개발 클라우드 테스트 퍼블리싱 인공지능
    정보처리기사, 정보처리산업기사, SQLD, 리눅스마스터 2급, 네트워크관리사 2급, OCJP
전자·반도체: 반도체 전자 회로 펌웨어 임베디드 디스플레이 계측 센서 노광 식각 패키징 신호처리
    전자기사, 전자산업기사, 전자기기기능사, 전자캐드기능사, 반도체설계산업기사, 임베디드기사
연구·분석: 연구 실험 분석 화학 생명 제약 식품 환경 소재 인증 특허 통계
    화학분석기사, 식품기사, 대기환경기사, 수질환경기사, 생물공학기사, ADsP
"""


def _read_fields(text: str) -> tuple[Field, ...]:
    """Read two lines per field: ``name: specialities``, then the certificates."""
    lines = text.splitlines()
    return tuple(
        Field(name, tuple(specialities.split()), tuple(certificates.strip().split(", ")))
        for first, certificates in zip(lines[::2], lines[1::2], strict=True)
        for name, _, specialities in [first.partition(": ")]
    )


FIELDS = _read_fields(_FIELDS)
SPECIALITIES = tuple(word for field in FIELDS for word in field.specialities)
CERTIFICATES = tuple(name for field in FIELDS for name in field.certificates)

# A keyword is a speciality followed by one of these endings, the most frequent first.
ENDINGS = ("", "관리", "업무", "사무", "담당", "보조", "실무", "전문", "경력", "지원", "총괄")

MAJOR_ENDINGS = ("학과", "공학과", "학부", "전공")

# General keywords, which are independent of the field, combine a trait and a noun.
TRAITS = (
    "성실한", "꼼꼼한", "적극적인", "책임감있는", "밝은", "긍정적인",
    "창의적인", "열정적인", "도전적인",
)  # fmt: skip
NOUNS = (
    "인재", "신입", "경력직", "지원자", "성격", "태도", "자세", "마인드", "팀플레이어", "리더십",
    "소통능력", "협업",
    "적응력", "실행력", "문제해결", "대인관계", "사고방식", "업무처리", "고객응대", "시간관리",
    "자기계발", "목표의식",
    "배려심", "집중력", "추진력", "학습능력", "봉사정신",
)  # fmt: skip
GENERAL = tuple(f"{trait} {noun}" for trait in TRAITS for noun in NOUNS)

# Certificates that are common in every field, the most frequent first.
COMMON_CERTIFICATES = (
    "자동차운전면허 1종보통", "컴퓨터활용능력 2급", "워드프로세서 1급", "컴퓨터활용능력 1급",
    "자동차운전면허 2종보통",
    "ITQ 한글", "ITQ 엑셀", "MOS Master", "한국사능력검정 1급", "정보기기운용기능사",
    "한자능력검정 3급", "인터넷정보관리사 2급",
)  # fmt: skip

# The spellings of a certificate, the most frequent first. ``tight`` is the name without blanks,
# ``low`` the name in lower case.
SPELLINGS = (
    "{name}", "{tight}", "{name} 자격증", "{tight}자격증", "{name} 취득", "{tight} (취득)",
    "{name} ", "{low}",
    "{name}  합격", "{tight}(최종합격)", "{name}필기", "{tight}.", "국가공인 {name}",
    "{name} / 대한상공회의소",
    "{name} - 한국산업인력공단", "◎{tight}",
)  # fmt: skip

# Industries, along the same line; some names contain ';', which separates lists elsewhere.
INDUSTRIES = (
    "제조;화학", "섬유;의류;패션", "건설업", "건축;인테리어", "목재;제지;가구", "운송;운수;물류",
    "시설관리;경비", "전기;전자;제어", "조선;해양", "기계;설비;자동차", "렌탈;임대;리스",
    "생활용품;소비재", "식품가공", "음식료;외식;프랜차이즈", "뷰티;미용", "호텔;여행;항공",
    "스포츠;여가;레저", "백화점;면세점", "판매;유통업", "부동산;중개", "보험;증권",
    "정부;공공기관;연구소", "법률;법무", "회계;세무법인", "은행;금융;저축", "무역;상사",
    "컨설팅;리서치", "광고;홍보;전시", "신문;잡지;언론사", "출판;인쇄", "디자인;CAD",
    "방송;영상;사진", "초중고;대학", "학원;어학원", "유아;유치원", "사회복지", "의료;병원",
    "솔루션;SI;ERP", "웹에이전시;포털", "반도체;광학;LCD", "환경;설비",
)  # fmt: skip
SCHOOL_KINDS = ("인문계", "공업계", "상업계", "예체능계", "특목고")
