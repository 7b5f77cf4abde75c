"""Given names that are one name: short forms and spellings common in Britain.

Here belongs the table only; how two names are compared stands in `names`. A new entry is a new word below.
"""

import re
from typing import Final

# Formal name: its short forms and spellings. Two names agree if they stand for one formal name, so Alexander
# and Alexandra do not meet through Alex. Francis and Frances stay apart: they are two people.
_TABLE: Final = """
abigail: abby abbie | adrian: ade | ahmed: ahmad | aidan: aiden | alan: al allan allen alun
albert: al bert | alexander: al alex alec sandy | alexandra: alex sandy | alfred: alf alfie fred
alison: ali allison | alistair: ali alastair alasdair alister | amanda: mandy | andrew: andy drew
angela: angie | ann: anne annie nan | anthony: antony tony | antonia: toni | archibald: archie
arthur: art | ayesha: aisha aysha | barry: baz barrie | beatrice: bea | benjamin: ben | bernadette: bernie
bernard: bernie | brian: bryan | caroline: caz carrie
catherine: cath cathy cathryn catharine kat kate katie kath kathy katharine katherine kathryn kit
charles: charlie chas chuck | charlotte: charlie lottie | christian: chris
christina: chris tina chrissie | christine: chris chrissie | christopher: chris christy kit kris
clare: claire clair | constance: connie | cornelius: con | cynthia: cindy | daniel: dan danny
david: dave davy dai dewi dafydd | deborah: deb debbie debra | dennis: den denis denny
derek: del derrick | diana: di | diane: di dianne | donald: don donnie | dorothy: dot
douglas: doug dougie | edmund: ed eddie | edward: ed eddie ned ted teddy | edwin: ed eddie
eileen: aileen | eleanor: ellie elinor nell | elizabeth: bess beth betty eliza elisabeth libby liz lizzie
ellen: ellie nell | emily: em emmie | emma: em | ernest: ernie | euan: ewan ewen | fatima: fatema
frances: fran | francis: frank fran | franklin: frank | frederick: fred freddie frederic
gabrielle: gabby | gareth: gaz gary | gary: gaz garry | geoffrey: geoff jeff jeffrey | george: georgie
georgina: georgie gina | gerald: ged gerry jerry | gerard: ged gerry | gillian: gill jill jillian
gordon: gordy | graham: graeme grahame | gregory: greg | gwendoline: gwen | harold: hal harry
harriet: hattie | hasan: hassan | henry: hal harry | herbert: bert | hugh: huw hughie
hussain: hussein husain | ian: iain | isaac: ike | isabel: izzy isabelle isobel | jacob: jake
jacqueline: jackie jacky jacqui jacquie | james: jamie jim jimmy | jane: janey jayne | janet: jan
janice: jan | jennifer: jen jennie jenny | jeremy: jerry jez | jessica: jess jessie | joanna: jo
joanne: jo | john: jack johnny jon | jonathan: jon jonny jonathon johnathan | joseph: joe joey
josephine: jo josie | joshua: josh | judith: jude judy judi | julia: jules julie | julian: jules
karen: karin | kenneth: ken kenny | kevin: kev | khalid: khaled | kimberley: kim | laura: laurie
lawrence: larry laurence laurie lol | leonard: len lenny | lesley: les | leslie: les | lewis: lew louis
lindsay: lindsey lynsey | louis: lou | louise: lou | lucas: luke | lucinda: lucy | lynda: linda
lynne: lyn lynn | madeleine: maddy madeline | mahmud: mahmood mehmood mahmoud | malcolm: mal malc
margaret: maggie mags marg marge margie meg peggy rita | maria: marie | marjorie: marge | mark: marc
martin: martyn marty | mary: molly polly | matthew: mat matt mathew | maureen: mo | maximilian: max
maxwell: max | melanie: mel | melissa: mel | melvyn: mel | michael: mick mickey micky mike micheal
mildred: millie | mohammed: md mo mohd mohamed mohamad mohammad mohammod muhammad muhammed | moira: maura
natalie: nat | nathan: nat | nathaniel: nat nathan | neil: neal neill niall
nicholas: nic nick nicky nicolas | nicola: nic nicky nikki | nigel: nige | oliver: oli ollie olly
pamela: pam | patricia: pat patsy patti tricia trish | patrick: pat paddy | pauline: polly | peter: pete
philip: phil phillip pip | philippa: phillipa pip pippa | prudence: prue | rashid: rashed | raymond: ray
rebecca: becca becky | reece: rhys | reginald: reg | rehman: rahman | richard: dick rich richie rick ricky
robert: bob bobbie bobby bert rob robbie | roderick: rod roddy | rodney: rod | ronald: ron ronnie
rosalind: ros roz | rosemary: ros rosie | ruairidh: rory ruaraidh | rupert: ru | russell: russ
said: saeed | samantha: sam | samuel: sam sammy | sandra: sandy | sarah: sally sara | sebastian: seb
shahid: shahed | shaun: sean shawn | sheila: shelagh | sidney: sid sydney | simon: si | sophia: sophie
stanley: stan | stephanie: steph | stephen: ste steph steve steven stevie stephan
stewart: stew stu stuart | susan: sue susie suzie suzy | suzanne: sue susie suzie suzy
syed: sayed sayyid | terence: terry terrence tel | theodore: theo | theresa: teresa terri terry tess tessa
thomas: tam tom tommy | timothy: tim | tobias: toby | tracey: tracy | tristan: tristram | valerie: val
veronica: ronnie | victor: vic | victoria: vic vicki vicky vikki | vincent: vin vince
vivien: viv vivienne vivian | walter: wally | wesley: wes | wilfred: wilf
william: bill billy will willie | winifred: win | yousuf: yusuf yousaf yousef | zachary: zac zack zak
zoe: zoey
"""


def _read_nicknames(table: str) -> dict[str, frozenset[str]]:
    """Every name of the table to the formal names it stands for; a formal name stands for itself too."""
    names: dict[str, set[str]] = {}
    for entry in re.split(r"[|\n]", table.strip()):
        formal, _, shorts = entry.strip().partition(":")
        for name in (formal, *shorts.split()):
            names.setdefault(name, set()).add(formal)
    return {name: frozenset(formals) for name, formals in names.items()}


FORMAL_NAMES: Final = _read_nicknames(_TABLE)
